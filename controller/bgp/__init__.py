"""BGP: what the fabric tells its peers and what it learns from them (RFC 4271, 4364, 7432, 8365, 9136).

    state ──exports──> desired routes ──policy of the neighbour──> speaker ──> peer
    peer ──> speaker ──> adj-rib-in ──policy, best path, route targets──> imports ──> Observed.remote ──> compiler

The speaker is another process that keeps sessions and moves bytes; everything that is decided, is decided here. A
route is the same value in all of it (`routes.py`); `wire/` turns it into bytes and back.

Read next: routes.py (the words), rib/ (what is decided, pure), speaker/ (the other process), service.py (the wiring).
"""
