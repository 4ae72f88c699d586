"""The compiler: policy and topology in, flows for each hypervisor out. Pure: no I/O, no clock, no globals.

    configuration + placement + numbers  --start-->  State
    State + what happened                --changed-> State, Dirty fragments
    State, State, Dirty                  --compile_change-> flow-mods per hypervisor

Read `state.py` for what is known, `fragments.py` for how the flows of a hypervisor are cut into pieces and who holds
them, `core.py` for the pieces of the network itself, then one file per subject: `port.py` (entry, anti-spoofing),
`responder.py` (ARP, ND, gateway), `policy.py`, `identity.py` and `acl.py` (security policy), `reach.py` (routing and
switching), `segment.py` (VNI, flooding). The edge services are in `services/`, listed in `catalogue.py`; what one is,
says `features.py`. What is outside our hypervisors is in `remote.py` and `wan/`, which numbers things have in
`numbering.py`.
The tables and registers they meet in are `controller/pipeline.py`.
"""

from __future__ import annotations

from controller.compile.change import changed
from controller.compile.compiler import compile_all, compile_change
from controller.compile.dirty import Dirty
from controller.compile.placement import Learned, Location, Observed, Placement
from controller.compile.state import State, start

__all__ = [
    "Dirty",
    "Learned",
    "Location",
    "Observed",
    "Placement",
    "State",
    "changed",
    "compile_all",
    "compile_change",
    "start",
]
