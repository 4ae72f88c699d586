"""The commands: what can be typed, by family, and the language they are declared in.

Why it exists: parsing, completion, `?`, abbreviations, permissions and the reference must never disagree, so each
command says its grammar once, next to its handler, and everything else is derived (language/).

    language/    grammar, parsing, completion, the registry of all families
    show/        what is configured and what became of it        statistics/  what is counted, now and over time
    configure/   candidate, commit, schedule, rescue             diagnose/    trace, why, why not, ping, tools
    session/     mode, screen, aliases, help, dashboards         request_dvrs.py  how a hypervisor joins

Handlers take a Context (context.py) and return a read-model of views/models.py; pipes.py reshapes it, streams.py those
that go on. What several share: lookup.py (what a line names), counters.py (what a switch says now), times.py.

Read next: language/registry.py, context.py, show/dvrs.py.
"""
