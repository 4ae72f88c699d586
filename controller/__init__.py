"""The network: topology, compiler, OpenFlow, OVSDB, commits. Hypervisors dial in, sessions ask the Fabric.

Why it exists: to keep every hypervisor's switch equal to the committed configuration, whatever happens in between, and
to change all of them or none. How it hangs together:

    sessions ───────────> fabric.py ─────────── commit/ ── planning ── compile/, data.rules        check, plan
                             │                     │
                             │                     └────── transaction ── a Channel                apply, revert
    hypervisors ──────── hypervisors/                                        │
       OVSDB         ovsdb/     contact: admission, identity              openflow/
       OpenFlow      openflow/     │                                         │
       agents                   topology.py ─────── upkeep ── reconcile ─────┘
       packets                  who, what, where    moves, returns            drift: what others changed
                       edge/  ── packets/              │
                       answers, learns, probes ────────┘ observed             events/: what happened, told by all
                             network.py: what is committed and compiled now, and the turn to change it

What is read and changes nothing: answers.py (all that sessions ask), telemetry/ (what passes through, counted), trace/
(where a packet goes), analysis/ (what rules are good for). The world outside: bgp/, pe/, underlay/; by
commit/sides.py they take part in commits.

Every change of a switch goes through a Channel under the one turn of `network.py`; a switch that is not known to be
right is read back and sent only the difference. Nothing but `fabric.py` touches the store, through one writer thread.

Read next: `fabric.py`, `commit/`, `hypervisors/`, `topology.py`; then `compile/__init__.py` and `pipeline.py`.
Imports `data` alone.
"""
