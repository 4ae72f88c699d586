"""request dvrs …, show certificates: how a hypervisor joins, and how it is shut out again."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from data.errors import CommandFailed
from data.schema.objects import Controller, Dvrs
from views.models import Clock, Column, Lines, Table
from views.moment import iso

if TYPE_CHECKING:
    from data.store.trust import CertificateRow

MINUTES = 60
"""How long a join token is good unless the operator says otherwise."""
COLUMNS = (
    Column("system_id", "System-id"),
    Column("serial", "Serial", shrink=True),
    Column("issued", "Issued"),
    Column("expires", "Expires"),
    Column("state", "State"),
)


@command(
    "request dvrs <dvrs> join-token [minutes <minutes>]",
    help="the line to run on a hypervisor so that it joins, once",
    permission="request",
    words={"minutes": "how long it is good [60]"},
)
async def join_token(context: Context, arguments: Arguments) -> Lines:
    """One line with everything in it; a token of before is void."""
    fabric, name = context.fabric, arguments.values["dvrs"]
    item = fabric.running.get(require(fabric.running, ("dvrs", name)))
    assert isinstance(item, Dvrs)
    system_id, minutes = item.system_id or name, int(arguments.get("minutes") or MINUTES)
    settings = fabric.running.settings(Controller)
    words = ["nshell", "agent", "join", "--controller", dialled(name, system_id, settings, item)]
    words += ["--system-id", system_id]
    usual = Controller(uuid="")
    if settings.openflow_port != usual.openflow_port:
        words += ["--openflow-port", str(settings.openflow_port)]
    if settings.agent_port != usual.agent_port:
        words += ["--agent-port", str(settings.agent_port)]
    words += ["--token", await fabric.trust.join_token(system_id, minutes)]
    line = shlex.join(words)
    return Lines([line], {"dvrs": name, "command": line, "expires": iso(time.time() + minutes * 60)})


def dialled(name: str, system_id: str, settings: Controller, item: Dvrs) -> str:
    """The address, and the OVSDB port if it is not the usual one, at which a hypervisor reaches this controller.

    Raises CommandFailed when the controller listens for its own machine alone.
    """
    address, where = ipaddress.ip_address(settings.listen_address), f"request dvrs {name} join-token"
    if address.is_loopback:
        raise CommandFailed(
            where,
            f"the controller listens on {address} alone, where no other host reaches it",
            "set controller listen-address, and commit; on this very host no token is needed: "
            f"nshell agent join --controller {address} --system-id {shlex.quote(system_id)}",
        )
    host = str(address)
    if address.is_unspecified:
        # Whence this machine would send to the hypervisor; a datagram socket that is connected sends nothing.
        try:
            with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((item.tunnel_address or ("2001:db8::1" if address.version == 6 else "192.0.2.1"), 9))
                host = probe.getsockname()[0]
        except OSError as problem:
            raise CommandFailed(
                where,
                f"no address of this machine reaches {item.tunnel_address}: {problem.strerror}",
                "set controller listen-address to the one that hypervisors shall dial, and commit",
            ) from None
    port = settings.ovsdb_port
    shown = f"[{host}]" if ":" in host else host
    return host if port == Controller(uuid="").ovsdb_port else f"{shown}:{port}"


@command(
    "request dvrs <dvrs> revoke",
    help="revoke a hypervisor's certificates and end its connections at once",
    permission="request",
)
async def revoke(context: Context, arguments: Arguments) -> Lines:
    """It may join again by a new token only; its flows stay, and forwarding with them."""
    system_id = identity(context, arguments.values["dvrs"])
    certificates, connections = await context.fabric.trust.revoke(system_id)
    text = f"{system_id}: {certificates} certificates revoked, {connections} connections ended"
    return Lines([text], {"system_id": system_id, "certificates": certificates, "connections": connections})


@command(
    "show certificates [dvrs <dvrs>]",
    help="certificates of hypervisors, and which are good",
    words={"dvrs": "of one hypervisor"},
)
async def show_certificates(context: Context, arguments: Arguments) -> Table:
    """The oldest first; a certificate is superseded when a later one was issued, and is good until it expires."""
    known: Sequence[CertificateRow] = context.fabric.trust.certificates()
    name = arguments.get("dvrs")
    if name is not None:
        wanted = identity(context, name)
        known = [row for row in known if row.system_id == wanted]
    newest = {row.system_id: row.serial for row in known if row.revoked is None}
    rows = [
        (row.system_id, row.serial, Clock(row.issued), Clock(row.expires), state(row, newest, time.time()))
        for row in known
    ]
    return Table("Certificates", COLUMNS, rows, "certificates")


def state(row: CertificateRow, newest: dict[str, str], now: float) -> str:
    """What a certificate is worth."""
    if row.revoked is not None:
        return "revoked"
    if row.expires < now:
        return "expired"
    return "valid" if newest[row.system_id] == row.serial else "superseded"


def identity(context: Context, name: str) -> str:
    """The system-id of a hypervisor, also of one that is not configured any more and has certificates.

    Raises NothingThere.
    """
    fabric = context.fabric
    item = fabric.running.get(("dvrs", name))
    if isinstance(item, Dvrs):
        return item.system_id or name
    if not any(row.system_id == name for row in fabric.trust.certificates()):
        require(fabric.running, ("dvrs", name))
    return name
