"""What passes through the network in numbers: `show statistics`, `monitor statistics`, `graph`, and hits of rules.

Why it exists: every number that telemetry counted is asked for, added up and named in one place, so that a table, a
graph, a picture for a report and the dashboards say the same.

    words of a line ── measured.py ──> keys of series ── counted.py ──> numbers, of now or of a period
                                                                            │
       show.py, monitor.py   tables, columns as figures.py declares them <──┤
       graph.py              lines over time ── pictures.py ──> SVG, PNG <──┤
       rule_hits.py          of one policy entry, for show/rules.py      <──┘

The numbers are controller/telemetry's. What a switch itself says at this moment is read by ../counters.py, for
`show flows`, `show policies` and `show vport`; for `monitor flows` rates.py makes rates of it. redrawn.py shows picture
after picture in place.

Read next: measured.py, figures.py, show.py.
"""
