"""PE routers: the provider-edge routers of the WAN, configured through NAPALM as part of the same commit.

    committed policy ──intent.py──> PeIntent ──render.py──> text ──fragment.py──> what is to be merged
                                                                                      │ prepare, commit, confirm
    side.py      part of the commit transaction                        session.py ────┘ one thread per router
    routers.py   what is due between commits: a router that returns, one that was changed by hand
    held.py      what each router may hold, kept over a crash

Everything of ours on a router is named `nsh-…` or belongs to the neighbor that this controller is; nothing else of its
configuration is touched. `frr/` is a NAPALM driver for FRRouting that knows nothing of this project; read its own
docstring. Read next: `intent.py`, then `side.py`.
"""
