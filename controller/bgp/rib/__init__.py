"""What BGP decides, pure: no session, no clock of its own, no I/O.

    speaker's events ──policy──> table (adj-rib-in) ──> loc-rib, best path ──targets──> imports ──> Observed.remote
    State ──> exports (attachments, prefixes, floods) ──> desired routes ──policy of the neighbour──> speaker
                              └── mobility: whose a MAC address is, with which sequence number ──┘

One `Rib` (rib.py) takes events and states, and says what follows: facts for the compiler, routes for neighbours, and
what else is to be done. All of it is incremental, and equals what would come of everything at once.

Read next: rib.py (how it is driven), settings.py (what of the configuration it needs), policy.py (what is accepted and
told, and why not), best.py (which way is taken, and why), exports.py with segments.py, and
imports.py (from and to the fabric).
"""
