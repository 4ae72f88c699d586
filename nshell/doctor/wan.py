"""What BGP and the listeners of the underlay need; nothing is said while none of it is configured."""

from __future__ import annotations

from data.schema.wan import Bgp, UnderlayListener
from nshell.doctor.daemon import overlap
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Machine
from nshell.doctor.state import stored

SPEAKER = "controller.bgp.speaker.child"
"""The module that the speaker's process runs."""
FRR = "/usr/lib/frr"
DAEMONS = {"ospf": "ospfd", "isis": "isisd"}


def bgp(machine: Machine) -> Finding | None:
    """Whether the port on which passive neighbours are waited for is free, or the speaker's."""
    settings = stored(machine, Bgp.declared.keyword)
    if not isinstance(settings, Bgp) or settings.autonomous_system is None:
        return None
    pid = machine.daemon_pid()
    ours = [pid] if pid else []
    ours += [number for number, words in machine.processes() if SPEAKER in words]
    address = machine.configured()[0].listen_address
    for other in machine.listeners():
        if other.port == settings.port and overlap(address, other):
            if not any(machine.holds(one, other.inode) for one in ours):
                return warning(
                    "bgp",
                    f"port {other.port} is taken by another program",
                    "neighbors that are passive to us cannot connect; those that we connect to can be spoken to",
                    f"see 'ss -ltnp sport = :{other.port}' and end that, or 'set bgp port' another",
                )
    return ok("bgp", f"port {settings.port} is {'its own or free' if pid else 'free'}")


def listeners(machine: Machine) -> Finding | None:
    """Whether there is an FRR to read the underlay from."""
    listener = stored(machine, UnderlayListener.declared.keyword)
    if not isinstance(listener, UnderlayListener):
        return None
    daemon = DAEMONS[listener.protocol]
    if not machine.exists(f"{FRR}/{daemon}"):
        lack = "the underlay is not heard: every tunnel endpoint counts as usable"
        return missing("underlay listeners", f"FRR's {daemon} is not installed", lack, "apt install frr")
    return ok("underlay listeners", f"FRR's {daemon} is installed")
