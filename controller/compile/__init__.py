"""The compiler: policy and topology in, flows for each hypervisor out. Pure: no I/O, no clock, no globals.

    configuration + placement + numbers  --start-->  State
    State + what happened                --changed-> State, Dirty fragments
    State, State, Dirty                  --compile_change-> flow-mods per hypervisor

Read `state.py` for what is known, `fragments.py` for how the flows of a hypervisor are cut into pieces and who holds
them, then one file per feature: `port.py` (entry, anti-spoofing), `responder.py` (ARP, gateway), `policy.py`,
`identity.py` and `acl.py` (security policy), `reach.py` (routing and switching), `segment.py` (VNI, flooding).
The tables and registers they meet in are `controller/pipeline.py`.
"""

from __future__ import annotations

from controller.compile.change import Dirty, changed
from controller.compile.compiler import compile_all, compile_change
from controller.compile.placement import Location, Placement
from controller.compile.state import State, start

__all__ = ["Dirty", "Location", "Placement", "State", "changed", "compile_all", "compile_change", "start"]
