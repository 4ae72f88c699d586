"""The network below the tunnels: what is known of it by listening, and what follows for the ends of tunnels.

Nothing here ever tells the underlay anything. A routing daemon on this machine (FRR's ospfd or isisd, set up from
`listen_only.py`, which announces no prefix and carries nobody's packet) has the link-state database; we read it. BGP
neighbours whose role is underlay are listened to by the speaker.

    ospfd, isisd ── vty.py ──> listener.py ── ospf.py, isis.py ──> Topology ─┐
    BGP speaker ── heard.py ─────────────────────────────────> Announcements ┴─> view.py ──> endpoints.py ──> best path
                                                                 longest match,      reachable, flaps       usable(),
                                                                 paths.py            ../damping.py           cost()

    topology.py     nodes, links and prefixes as one picture, whatever protocol told them
    paths.py        shortest paths, equal-cost ones, loop-free alternates
    view.py         all pictures together: how an address is reached, or that it is not
    endpoints.py    every tunnel endpoint: reachable or not, since when, how often it flapped, whether it is used
    service.py      `Underlay`: follows commits, runs the listeners, answers best path and people

Without a listener every endpoint is usable and has no cost. Read service.py next; docs/wan/underlay.md is for
operators.
"""
