"""`nshell agent …`: what an administrator types on a hypervisor.

nshell agent join --controller HOST[:PORT] --system-id NAME --token TOKEN [--uplink NIC --tunnel-address A/LEN]
nshell agent run | restore | leave | status
nshell agent attach netns NAME VPORT | container PID VPORT | tap INTERFACE VPORT
nshell agent detach VPORT
nshell agent attach-uplink NIC NAME
nshell agent detach-uplink NAME
"""

import argparse
import asyncio
import ipaddress
import json
import logging
import sys
import time
from collections.abc import Sequence

from agent import attach, join, physical, uplink
from agent.enrolment import Token
from agent.host import Ovs, OvsLocation
from agent.trust import Files, Granted
from data.errors import CommandFailed, NshellError


def main(argv: Sequence[str]) -> int:
    """Run one agent command; give the exit code: 0 done, 1 failed, 2 bad syntax."""
    parser = _parser()
    try:
        options = parser.parse_args(list(argv))
    except SystemExit as end:
        return 2 if end.code else 0
    ovs = Ovs(OvsLocation.choose(options.rundir, options.db))
    try:
        for line in COMMANDS[options.command](ovs, options):
            print(line)
    except NshellError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    return 0


def _join(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Join this host to a fabric; running it twice changes nothing."""
    endpoints = tuple(_endpoint(text, options) for text in options.controller)
    token = None if options.token is None else Token.read(options.token)

    def sign(system_id: str, request: str) -> Granted:
        assert token is not None
        one = next(endpoint for endpoint in endpoints if endpoint.tls)
        return token.enrol(one.host, one.agent_port, system_id, request)

    if token is not None and not any(endpoint.tls for endpoint in endpoints):
        raise CommandFailed("token", "a controller on this very host needs none", "leave --token out")
    membership = join.Membership(
        endpoints,
        options.system_id,
        options.datapath,
        options.uplink,
        options.tunnel_address,
        None if token is None else sign,
    )
    return [*join.join(ovs, membership), f"joined as {join.system_id(ovs)}"]


def _endpoint(text: str, options: argparse.Namespace) -> join.Endpoint:
    """HOST, HOST:PORT or [IPV6]:PORT; the port is that of OVSDB."""
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or (port and not port.isdecimal()):
        raise CommandFailed(
            "controller", f"{text!r} is not HOST or HOST:PORT", "write it as 192.0.2.1 or [2001:db8::1]:6640"
        )
    ports = int(port or join.OVSDB_PORT), options.openflow_port, options.agent_port
    return join.Endpoint(host, *ports, tls=not _is_here(host))


def _is_here(host: str) -> bool:
    """Whether a controller is on this very host, where it wants no TLS."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _leave(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Take back what join and attach did."""
    return join.leave(ovs) or ["this host had not joined"]


def _restore(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Set the uplink's addresses again, after a start of ovs-vswitchd."""
    return [f"{uplink.BRIDGE} set again" if uplink.restore(ovs) else "nothing was missing"]


def _run(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Run the agent until SIGTERM."""
    from agent.service import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    asyncio.run(serve(ovs))
    return []


def _attach(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Plug a workload in as a vport."""
    interface = attach.Interface(
        options.interface, options.mac, tuple(options.address or ()), tuple(options.gateway or ()), options.mtu
    )
    return attach.attach(ovs, attach.Workload(options.kind, options.name), options.vport, interface, options.port)


def _detach(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Take a vport out."""
    return attach.detach(ovs, options.vport) or [f"{options.vport} was not attached"]


def _attach_uplink(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Give a NIC of the physical network to br-nsh."""
    return physical.attach(ovs, options.nic, options.name)


def _detach_uplink(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Take that NIC out again."""
    return physical.detach(ovs, options.name) or [f"uplink {options.name} was not attached"]


def _status(ovs: Ovs, options: argparse.Namespace) -> list[str]:
    """Show who this host is, whom it dials and what is attached."""
    controllers = {
        row["target"]: row["is_connected"]
        for table in ("Manager", "Controller")
        for row in ovs.rows(table, "target", "is_connected")
    }
    found, networks = attach.attached(ovs), physical.attached(ovs)
    certificate = Files(ovs.location).facts()
    if options.json:
        return [
            json.dumps(
                {
                    "system_id": join.system_id(ovs),
                    "targets": controllers,
                    "certificate_expires": None if certificate is None else certificate.expires,
                    "vports": {
                        one.vport: {"port": one.port, "kind": one.kind, "workload": one.workload} for one in found
                    },
                    "uplinks": {one.name: one.nic for one in networks},
                },
                indent=2,
            )
        ]
    lines = [f"system-id  {join.system_id(ovs) or 'none'}"]
    lines += [f"target     {target}  {'connected' if up else 'not connected'}" for target, up in controllers.items()]
    if certificate is not None:
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(certificate.expires))
        lines.append(f"certificate of {certificate.system_id}, until {until}")
    lines += [f"uplink     {one.name}  {one.nic}" for one in networks]
    return lines + [f"vport      {one.vport}  {one.kind} {one.workload} as {one.port}" for one in found]


COMMANDS = {
    "join": _join,
    "leave": _leave,
    "run": _run,
    "restore": _restore,
    "attach": _attach,
    "detach": _detach,
    "attach-uplink": _attach_uplink,
    "detach-uplink": _detach_uplink,
    "status": _status,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nshell agent", description="the hypervisor side of nshell")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--rundir", help="run directory of Open vSwitch [$OVS_RUNDIR, /var/run/openvswitch]")
    where.add_argument("--db", help="its database, as unix:PATH [unix:RUNDIR/db.sock]")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[where], help=COMMANDS[name].__doc__)

    one = command("join")
    one.add_argument(
        "--controller",
        action="append",
        required=True,
        metavar="HOST[:PORT]",
        help=f"a controller and its OVSDB port [{join.OVSDB_PORT}]; may be given several times",
    )
    one.add_argument("--openflow-port", type=int, default=join.OPENFLOW_PORT)
    one.add_argument("--agent-port", type=int, default=join.AGENT_PORT)
    one.add_argument("--system-id", help="who this host is in the fabric [what it is already]")
    one.add_argument("--token", help="from 'request dvrs NAME join-token' at the controller; works once")
    one.add_argument("--uplink", metavar="NIC", help="the underlay NIC, to be put into br-phy")
    one.add_argument("--tunnel-address", metavar="A/LEN", help="this host's address on the underlay")
    one.add_argument("--datapath", choices=join.DATAPATHS, default="system", help="[system]")
    command("leave")
    command("run")
    command("restore")
    one = command("attach")
    one.add_argument("kind", choices=("netns", "container", "tap"))
    one.add_argument("name", help="of the namespace, the container's main process, or the tap")
    one.add_argument("vport", help="the vport's UUID, or ENTERPRISE/DOMAIN/NAME")
    one.add_argument("--interface", default="eth0", help="its name inside the workload [eth0]")
    one.add_argument("--mac")
    one.add_argument("--address", action="append", metavar="A/LEN", help="may be given several times")
    one.add_argument("--gateway", action="append", metavar="ADDRESS", help="one of IPv4, one of IPv6")
    one.add_argument("--mtu", type=int, default=attach.TENANT_MTU, help=f"bytes [{attach.TENANT_MTU}]")
    one.add_argument("--port", help="name of the end in the bridge")
    command("detach").add_argument("vport")
    one = command("attach-uplink")
    one.add_argument("nic", metavar="NIC", help="without addresses, in no other bridge")
    one.add_argument("name", metavar="NAME", help="what vports call it: 'uplink NAME'")
    command("detach-uplink").add_argument("name", metavar="NAME")
    command("status").add_argument("--json", action="store_true")
    return parser
