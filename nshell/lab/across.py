"""The part of the lab's interface that is about more than one site: the wide area network, and the lab at its far end.

The second site is a lab like any other, with hypervisors, machines and a controller of its own; its prefix is that of
the first with a "b", its state is kept in the first one's, and it goes down with it.
"""

import abc
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from agent import attach, namespaces
from agent.host import run
from data.errors import CommandFailed
from nshell.lab import migration, underlay
from nshell.lab.assembly import Assembly
from nshell.lab.machines import check_machines
from nshell.lab.underlay import Names
from nshell.lab.wan import plan, wide
from nshell.lab.wan.plan import Wan
from nshell.lab.wan.wide import WanState, Wide

if TYPE_CHECKING:
    from nshell.lab.lab import Lab

SECOND = "second"  # where the second site keeps its state, in the first one's


class Across(abc.ABC):
    """What spans sites."""

    prefix: str
    state_dir: Path

    @abc.abstractmethod
    def _look(self) -> Assembly:
        """The lab as it is recorded, to be looked at."""

    @abc.abstractmethod
    def _changing(self, *, create: bool = False) -> AbstractContextManager[Assembly]:
        """The lab, to be changed."""

    @property
    def wan(self) -> Wide:
        """The wide area network: its routers, its faults, whether it has converged. CommandFailed without one."""
        return self._look().wan(self._second_names())

    @property
    def second(self) -> "Lab":
        """The lab of the second site, to be brought `up` with as many hypervisors and whatever machines."""
        state = self._look().state.wan
        if state is None or not state.wan.second_site:
            raise CommandFailed(f"lab {self.prefix}", "it has no second site", "up(…, wan=Wan(second_site=True))")
        return self._second()

    def hand_over(self, name: str, other: "Lab", hypervisor: str, *, downtime: float = 0.0) -> None:
        """Move a machine, with its MAC, addresses and connections, to a hypervisor of another lab.

        It vanishes here, and appears there `downtime` seconds later; it runs on all the while.
        """
        with self._changing() as here, other._changing() as there:
            machine = here.state.machine(name)
            if name in here.state.unplugged:
                raise CommandFailed(f"vm {name}", "it is unplugged", "plug it in there")
            moved = machine.at(hypervisor)
            check_machines((*there.state.machines.values(), moved))
            old, new = here.hypervisor(machine.hypervisor), there.hypervisor(hypervisor)
            old.inside(lambda: attach.detach(old.ovs, machine.vport, keep_link=True))
            time.sleep(downtime)
            migration.carry(machine, here.names.machine(name), old, new)
            rename_namespace(here.names.machine(name), there.names.machine(name))
            del here.state.machines[name]
            there.state.machines[name] = moved
            if number := here.state.legs.pop(name, 0):
                there.state.legs[name] = number
            new.inside(lambda: there.attach(new, moved, keep_link=True))

    def _check_wan(self, wanted: Wan) -> None:
        """Refuse what could not be built, before anything is made."""
        plan.check(wanted)
        if wanted.second_site and not underlay.PREFIX.fullmatch(f"{self.prefix}b"):
            raise CommandFailed(f"lab {self.prefix}", "no letter is left for the second site", "use 7 at most")

    def _build_wan(self, lab: Assembly, wanted: Wan) -> None:
        """Make the wide area network so; one that is complete and the same stays."""
        if lab.state.underlay != 4:
            raise CommandFailed("wan", "its routers speak IPv4 alone", "choose --underlay ipv4")
        now = lab.state.wan
        second = self._prepare_second(lab) if wanted.second_site else None
        if now is not None and now.wan == wanted and now.complete and lab.wan(second).runs():
            return
        wide.clear(self.prefix)
        lab.state.wan = WanState(wanted)
        lab.record.save(lab.state)
        lab.wan(second).build()

    def _prepare_second(self, lab: Assembly) -> Names:
        """The second site's record, management network and fabric, without any hypervisor yet."""
        with self._second()._changing(create=True) as other:
            underlay.make_management(other.names)
            underlay.ensure_fabric(other.names)
            return other.names

    def _second(self) -> "Lab":
        from nshell.lab.lab import Lab

        return Lab(f"{self.prefix}b", self.state_dir / SECOND, site=2)

    def _holds_second(self) -> bool:
        return (self.state_dir / SECOND).is_dir()

    def _second_names(self) -> Names | None:
        state = self._look().state.wan
        return self._second()._look().names if state is not None and state.wan.second_site else None


def rename_namespace(old: str, new: str) -> None:
    """Give a network namespace another name; who is inside notices nothing."""
    source, target = namespaces.of_name(old), namespaces.of_name(new)
    target.touch(mode=0o444, exist_ok=False)
    run(["mount", "--bind", str(source), str(target)])
    run(["umount", str(source)])
    source.unlink()
