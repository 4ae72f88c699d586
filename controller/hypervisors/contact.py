"""Contact with hypervisors: who dials in, whether it is one of ours, and which OpenFlow connection belongs to it.

    OVSDB dials in ──system-id──> configured? ──no──> shown as unknown; no transaction is ever sent to it
                                      │yes
                              bridges.py: br-nsh, tunnel port, OpenFlow target     <── also after a commit
                                      │                                                that admits it
    OpenFlow dials in ──datapath id──> the one that this identity's bridge was given ──> reconcile ──> ready
                        else it waits, after STRANGER_PAUSE it is shown as unknown

Over TLS a connection's certificate says who it is (`trust/`): a database must hold that system-id, a switch must have
the datapath id that the same name's database was given. In the clear, on this machine, both are believed.

An identity has one connection. A second one is refused while the first still answers, and replaces it otherwise: a
hypervisor that was rebooted must get in at once, one that pretends to be another must not.
"""

from __future__ import annotations

import asyncio

from controller.events import Kind
from controller.hypervisors.bridges import Bridges, datapath_id
from controller.hypervisors.channel import Channel
from controller.hypervisors.punted import Punted
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network
from controller.openflow import wire
from controller.openflow.connection import Switch
from controller.openflow.errors import OpenFlowError
from controller.openflow.packed import DELETE_ALL
from controller.ovsdb.connection import Hypervisor as Database
from controller.ovsdb.errors import OvsdbError
from controller.ovsdb.model import Change
from controller.topology import Standing
from controller.trust.door import Credential
from data.configuration import Edits
from data.schema.objects import Controller, Dvrs
from data.schema.seen import FlowExport

Claim = tuple[str | None, int]  # a proved system-id, and the datapath id that it says

__all__ = ["ECHO_LIMIT", "STRANGER_PAUSE", "Hypervisors"]

ECHO_LIMIT = 2.0  # seconds that an old connection has to answer when a second one claims its identity
SETUP_PAUSE = 0.2  # seconds between a change of somebody's tables and the look whether our bridge is still right
STRANGER_PAUSE = 10.0  # seconds that an OpenFlow connection waits for the OVSDB connection that vouches for it


class Hypervisors:
    """Every connection of every hypervisor. A participant of commits: admits and releases hypervisors."""

    def __init__(self, network: Network, upkeep: Upkeep, punted: Punted) -> None:
        self._network = network
        self._upkeep = upkeep
        self._punted = punted
        self._databases: dict[str, Database] = {}  # system-id -> the connection that has it
        self._admitted: dict[str, Database] = {}  # hypervisor -> its OVSDB connection
        self._names: dict[int, str] = {}  # datapath id -> hypervisor that OVSDB vouched for
        self._checking: set[str] = set()  # hypervisors whose bridge is about to be looked at
        self._waiting: dict[Claim, Switch] = {}  # switches that nobody has vouched for yet
        self._switches: dict[str, Switch] = {}  # hypervisor -> its OpenFlow connection
        self._bridges = Bridges(network)

    # OVSDB --------------------------------------------------------------------------------------------------

    async def database_connected(self, database: Database) -> None:
        """An OVSDB server dialled in and said who it is."""
        identity = database.system_id
        if self._pretends(database.certificate, identity, database.peer, "OVSDB"):
            database.close("its certificate is another hypervisor's")
            return
        if not identity:
            database.on_change = self.database_changed
            self._network.topology.stranger(database.peer, "it has no system-id", ovsdb_peer=database.peer)
            return
        present = self._databases.get(identity)
        while present is not None and present is not database:
            if await _answers(present):
                self._refuse(identity, database.peer, present.peer, "OVSDB")
                database.close("another connection has this system-id and answers")
                return
            self._network.events.add(Kind.IDENTITY, f"{identity}: the connection from {present.peer} is replaced")
            present.close("it did not answer, and the hypervisor dialled in again")
            present = self._databases.get(identity)
        if database.ended is not None:
            return
        self._databases[identity] = database
        self._network.events.settled(f"{identity} OVSDB")
        database.on_change = self.database_changed
        await self._admit(identity, database)

    def database_changed(self, database: Database, changes: list[Change]) -> None:
        """Rows of a hypervisor changed: its interfaces, its tunnel port, its version, our bridge."""
        if self._databases.get(database.system_id or "") is not database and database.system_id:
            database.close("its system-id changed")
            return
        name = self._name_of(database)
        if name is None:
            return
        self._report(name, database)
        if name not in self._checking and any(change.table not in ("Interface", "Manager") for change in changes):
            self._checking.add(name)
            self._upkeep.spawn(self._check_setup(name), f"check of {name}'s bridge")

    def database_closed(self, database: Database, reason: str) -> None:
        """An OVSDB connection ended."""
        topology = self._network.topology
        topology.stranger_left(database.peer)
        identity = next((key for key, held in self._databases.items() if held is database), None)
        if identity is None:
            return
        del self._databases[identity]
        topology.stranger_left(identity)
        name = self._name_of(database)
        if name is not None:
            del self._admitted[name]
            topology.note(name, ovsdb_peer="")
            self._stand(name, f"OVSDB: {reason}")

    async def _admit(self, identity: str, database: Database) -> None:
        """Sets a hypervisor up if it is one of ours, shows it as unknown otherwise."""
        network = self._network
        version = database.ovs_version
        path = network.running.holder("dvrs", "system_id", (), identity)
        item = None if path is None else network.running.get(path)
        if path is None or not isinstance(item, Dvrs):
            network.topology.stranger(identity, "not configured", ovsdb_peer=database.peer, ovs_version=version)
            return
        name, number = path[-1], datapath_id(item)
        network.topology.stranger_left(identity)
        self._admitted[name] = database
        self._names[number] = name
        network.topology.note(name, datapath_id=number, ovs_version=version or None, ovsdb_peer=database.peer)
        if not await self._set_up(name, item, database) or self._admitted.get(name) is not database:
            return
        self._report(name, database)
        switch = self._waiting.pop((_proved(database), number), None)
        if switch is not None and switch.ended is None:
            await self._bind(name, switch)
            return
        channel = network.channels.get(name)
        if channel is not None and channel.switch is None:
            self._stand(name, "waiting for its OpenFlow connection")
        elif channel is not None and channel.ready:
            self._stand(name, "")

    async def _set_up(self, name: str, item: Dvrs, database: Database) -> bool:
        """Makes our bridge what it must be; whether it is."""
        try:
            await self._bridges.ensure(name, item, database)
        except OvsdbError as problem:
            if database.ended is None:
                self._stand(name, f"its bridge cannot be set up: {problem}")
                text = f"{name}: its bridge cannot be set up: {problem}"
                self._network.events.add(Kind.FAULT, text, about=("dvrs", name), dvrs=name)
            return False
        return True

    async def _check_setup(self, name: str) -> None:
        """Somebody changed the hypervisor's bridges: restores ours where it differs."""
        await asyncio.sleep(SETUP_PAUSE)
        self._checking.discard(name)
        database = self._admitted.get(name)
        if database is not None and database.ended is None:
            await self._admit(self._identity_of(name), database)

    def _report(self, name: str, database: Database) -> None:
        topology = self._network.topology
        topology.note(name, vxlan_port=database.tunnel_port)
        for port, why in database.misplaced().items():
            text = f"{name}: nothing gets out by {port}: {why}"
            self._network.events.once(Kind.FAULT, f"{name} {port}", why, text, about=("dvrs", name), dvrs=name)
        topology.report(name, database.attached())
        self._upkeep.settle()

    # OpenFlow -----------------------------------------------------------------------------------------------

    async def switch_connected(self, switch: Switch) -> None:
        """A switch dialled in and said its datapath id."""
        name, claim = self._names.get(switch.datapath_id), (_proved(switch), switch.datapath_id)
        if name is not None and self._pretends(switch.certificate, self._identity_of(name), switch.peer, "OpenFlow"):
            switch.close("its certificate is another hypervisor's")
            return
        if name is not None and name in self._admitted and _proved(self._admitted[name]) == claim[0]:
            await self._bind(name, switch)
            return
        other = self._waiting.get(claim)
        if other is not None and other.ended is None:
            other.close("another connection has this datapath id")
        self._waiting[claim] = switch
        await asyncio.sleep(STRANGER_PAUSE)
        if self._waiting.get(claim) is switch and switch.ended is None:
            self._network.topology.stranger(
                f"datapath {switch.datapath_id:016x}", "no OVSDB connection vouches for it",
                openflow_peer=switch.peer, datapath_id=switch.datapath_id,
            )  # fmt: skip

    def switch_closed(self, switch: Switch, reason: str) -> None:
        """An OpenFlow connection ended."""
        claim = _proved(switch), switch.datapath_id
        if self._waiting.get(claim) is switch:
            del self._waiting[claim]
            self._network.topology.stranger_left(f"datapath {switch.datapath_id:016x}")
        name = self._names.get(switch.datapath_id, "")
        channel = self._network.channels.get(name)
        if channel is not None and channel.switch is switch:
            channel.lost()
            self._network.topology.note(name, openflow_peer="")
            self._stand(name, f"OpenFlow: {reason}")

    async def _bind(self, name: str, switch: Switch) -> None:
        """Makes this connection the hypervisor's, unless an older one still answers."""
        topology = self._network.topology
        topology.stranger_left(f"datapath {switch.datapath_id:016x}")
        channel = self._network.channels.get(name)
        present = self._switches.get(name)
        while present is not None and present is not switch and present.ended is None:
            if await _answers(present):
                self._refuse(name, switch.peer, present.peer, "OpenFlow")
                switch.close("another connection has this datapath id and answers")
                return
            present.close("replaced: it did not answer and the switch dialled in again")
            present = self._switches.get(name)
        if channel is None or self._network.channels.get(name) is not channel:
            switch.close("its hypervisor is not configured any more")
        if channel is None or switch.ended is not None:
            return
        self._switches[name] = switch
        self._network.events.settled(f"{self._identity_of(name)} OpenFlow")
        channel.connected(switch)
        topology.note(name, openflow_peer=switch.peer)
        self._stand(name, "reading its flows back")
        switch.on_packet_in = lambda packet: self._punted.packet(name, packet)
        switch.on_flow_removed = lambda message: self._network.on_flow_removed(name, message)
        self._network.on_connected(name)
        # The database has a version only where the distribution's start script writes it there.
        try:
            topology.note(name, ovs_version=await switch.software())
            await switch.monitor(lambda event: self._upkeep.drift.suspect(name, event.table))
        except OpenFlowError as problem:
            switch.close(str(problem))  # and not what brought us here, perhaps the admission of its OVSDB connection
            return
        self._upkeep.program(name)

    # Commits ------------------------------------------------------------------------------------------------

    async def prepare(self, edits: Edits) -> None:
        """Nothing can go wrong with an admission before it is tried."""

    async def drop(self) -> None:
        """Nothing was prepared."""

    async def changed(self, edits: Edits) -> None:
        """Admits, changes and releases hypervisors that a commit added, changed or deleted."""
        network = self._network
        again: set[str] = set()
        for path, item in edits.items():
            if path[0] == "dvrs" and item is None:
                await self._release(path[-1])
            elif isinstance(item, Dvrs):
                name, identity = path[-1], item.system_id or path[-1]
                if name in network.channels and self._identity_of(name) != identity:
                    await self._release(name)
                network.topology.configure(name, identity, item.tunnel_address or "")
                network.channels.setdefault(name, Channel(name))
                again.add(identity)
            elif isinstance(item, Controller) or path[0] == FlowExport.declared.keyword:
                again.update(self._databases)
        for identity in again:
            database = self._databases.get(identity)
            if database is not None:
                self._upkeep.spawn(self._admit(identity, database), f"admission of {identity}")

    async def _release(self, name: str) -> None:
        """A hypervisor is not ours any more: its flows go, and it is left alone from then on."""
        network = self._network
        channel = network.channels.pop(name, None)
        if channel is not None and channel.switch is not None:
            await _empty(channel)
        database = self._admitted.pop(name, None)
        switch = self._switches.pop(name, None)
        for number in [number for number, named in self._names.items() if named == name]:
            del self._names[number]
        self._bridges.forget(name)
        network.topology.forget(name)
        self._upkeep.settle()
        if switch is not None:
            switch.close("its hypervisor is not configured any more")
        if database is not None:
            identity = database.system_id or database.peer
            network.topology.stranger(identity, "not configured any more", ovsdb_peer=database.peer)

    # The rest -----------------------------------------------------------------------------------------------

    def _stand(self, name: str, reason: str) -> None:
        """State from what is connected: ready stays ready while OpenFlow is there."""
        channel = self._network.channels.get(name)
        if channel is None:
            return
        if channel.ready:
            state = Standing.READY
        elif channel.switch is None and name not in self._admitted:
            state = Standing.AWAY
        else:
            state = Standing.CONNECTED
        self._network.topology.stand(name, state, reason)

    def _pretends(self, certificate: Credential | None, claimed: str | None, peer: str, protocol: str) -> bool:
        """Whether a connection says that it is somebody else than its certificate does; told once."""
        if certificate is None or certificate.system_id == claimed:
            return False
        text = f"{certificate.system_id} from {peer.rpartition(':')[0]} refused: it says over {protocol} that it is "
        about = f"{certificate.system_id} {protocol}"  # and not what it claims: it may claim a million names
        self._network.events.once(Kind.IDENTITY, about, "pretends", text + (claimed or "nobody"))
        return True

    def _refuse(self, identity: str, newcomer: str, present: str, protocol: str) -> None:
        text = f"{identity}: second {protocol} connection from {newcomer} refused, the one from {present} answers"
        self._network.events.add(Kind.IDENTITY, text)

    def _name_of(self, database: Database) -> str | None:
        return next((name for name, held in self._admitted.items() if held is database), None)

    def _identity_of(self, name: str) -> str:
        known = self._network.topology.hypervisors.get(name)
        return "" if known is None else known.system_id


def _proved(connection: Database | Switch) -> str | None:
    """The system-id that a connection's certificate has proved, None in the clear."""
    return None if connection.certificate is None else connection.certificate.system_id


async def _answers(connection: Database | Switch) -> bool:
    """Whether the peer answers an echo within ECHO_LIMIT."""
    try:
        async with asyncio.timeout(ECHO_LIMIT):
            if isinstance(connection, Database):
                await connection.echo()
            else:
                await connection.request(wire.ECHO_REQUEST)
    except (TimeoutError, OpenFlowError, OvsdbError):
        return False
    return True


async def _empty(channel: Channel) -> None:
    """Removes every flow of a switch; one that is lost meanwhile keeps them, and nobody sends to it any more."""
    try:
        async with asyncio.timeout(ECHO_LIMIT):
            await channel.push([DELETE_ALL])
    except (TimeoutError, OpenFlowError):
        return
