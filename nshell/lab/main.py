"""`nshell lab …`: the lab from the command line.

nshell lab up [--hypervisors N] [--vms FILE] [--state DIR]     nshell lab exec VM COMMAND …
nshell lab up --wan [--igp ospf|isis] [--reflector] [--sites 2]
nshell lab down                                                nshell lab ping A B
nshell lab status [--json]
DIR is the state directory of the controller that the hypervisors trust: that of `nshell` unless another is named.
Which lab: --prefix NAME and --state-dir DIR, before or after the verb (of `exec`: before the VM's name); --site 2 is
the second site of that one.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.addresses import address
from data.errors import CommandFailed, NshellError
from nshell.lab.lab import PREFIX, Lab
from nshell.lab.machines import read_machines
from nshell.lab.outside import read_outside
from nshell.lab.wan import example
from nshell.lab.wan.plan import IGPS, Wan
from nshell.places import state_directory

EXAMPLE = "wan.nsh"  # in the lab's state directory


def main(argv: Sequence[str]) -> int:
    """Run one lab command; give the exit code: 0 done, 1 failed, 2 bad syntax."""
    parser = _parser()
    try:
        options = parser.parse_args(list(argv))
    except SystemExit as end:
        return 2 if end.code else 0
    try:
        lab = Lab(getattr(options, "prefix", PREFIX), getattr(options, "state_dir", None))
        if getattr(options, "site", 1) == 2:
            lab = lab.second
        return COMMANDS[options.command](lab, options)
    except NshellError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    except BrokenPipeError:
        return 1


def up(lab: Lab, options: argparse.Namespace) -> int:
    """Bring the lab up, or make it as asked."""
    began = time.monotonic()
    machines = None if options.vms is None else read_machines(options.vms)
    uplinks, outside = (None, None) if options.vms is None else read_outside(options.vms)
    controller = Path(state_directory(options.state or ""))
    lab.up(
        options.hypervisors,
        machines,
        uplinks=uplinks,
        outside=outside,
        underlay=options.underlay,
        wan=_wan(options),
        agents=not options.no_agents,
        controller_state=controller,
    )
    print(
        f"lab {lab.prefix}: {len(lab.hypervisors)} hypervisors, {len(lab.machines)} machines,"
        f" in {time.monotonic() - began:.1f} s"
    )
    print(f"hypervisors dial the controller at {lab.controller_address}; they trust that of {controller}")
    if options.wan:
        wan = lab.wan
        wan.wait_converged()
        print(f"wide area network: {', '.join(wan.wan.nodes)}, converged after {time.monotonic() - began:.1f} s")
        file = lab.state_dir / EXAMPLE
        file.write_text("".join(f"{line}\n" for line in example.lines(wan)))
        print(f"the controller's side of it: nshell run {file}")
        if wan.wan.second_site:
            print(f"second site: {lab.command('--site 2 up --hypervisors 1 --state DIR')}")
    return 0


def _wan(options: argparse.Namespace) -> Wan | None:
    """The wide area network that is asked for."""
    if options.wan:
        return Wan(igp=options.igp, reflector=options.reflector, second_site=options.sites == 2)
    if options.reflector or options.sites == 2:
        raise CommandFailed("lab up", "a reflector and a second site are parts of a wide area network", "add --wan")
    return None


def down(lab: Lab, options: argparse.Namespace) -> int:
    """Remove everything the lab made."""
    lab.down()
    print(f"lab {lab.prefix} is down; nothing of it is left")
    return 0


def status(lab: Lab, options: argparse.Namespace) -> int:
    """Show what is there and what runs."""
    found = lab.status()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if not found["up"]:
        print(f"lab {lab.prefix} is down")
        return 0
    print(f"lab {lab.prefix}   controller at {found['controller_address']}   state in {lab.state_dir}")
    print(f"\n{'Hypervisor':<12}{'Tunnel address':<17}{'Database':<10}{'Switch':<10}{'Agent':<10}Namespace")
    for one in found["hypervisors"]:
        print(
            f"{one['name']:<12}{one['tunnel_address']:<17}{one['database']:<10}{one['switch']:<10}{one['agent']:<10}"
            f"{one['namespace']}"
        )
    print(f"\n{'Machine':<18}{'Hypervisor':<12}{'Address':<18}{'MAC':<19}{'State':<11}Vport")
    for one in found["machines"]:
        address = next(iter(one["address"]), "not static")
        print(f"{one['name']:<18}{one['hypervisor']:<12}{address:<18}{one['mac']:<19}{one['state']:<11}{one['vport']}")
    if found["uplinks"]:
        print(f"\n{'Uplink':<12}{'VLANs':<18}Hypervisors")
    for one in found["uplinks"]:
        vlans = [*(["untagged"] if one["untagged"] else []), *map(str, one["vlans"])]
        print(f"{one['name']:<12}{', '.join(vlans):<18}{', '.join(one['hypervisors'])}")
    if found["wan"]:
        _show_wan(found["wan"])
    if found["outside"]:
        print(f"\n{'Outside':<18}{'Uplink':<12}{'VLAN':<10}Address")
    for one in found["outside"]:
        addresses = ", ".join([*one["address"], *one["loopback"]])
        print(f"{one['name']:<18}{one['uplink']:<12}{one['vlan'] or 'untagged':<10}{addresses}")
    return 0


def _show_wan(found: dict[str, Any]) -> None:
    print(f"\n{'WAN node':<12}{'Loopback':<17}{'Management':<17}{'Stopped':<17}Namespace")
    for one in found["nodes"]:
        stopped = ", ".join(name for name, word in one["daemons"].items() if word != "runs") or "-"
        print(f"{one['name']:<12}{one['loopback']:<17}{one['management_address']:<17}{stopped:<17}{one['namespace']}")
    down = [" -- ".join(one["ends"]) for one in found["links"] if one["state"] != "up"]
    print(f"IGP {found['igp']}   {len(found['links'])} links, down: {', '.join(down) or 'none'}")
    for one in found["hosts"]:
        print(f"{one['name']:<12}{', '.join(one['address'])}")


def execute(lab: Lab, options: argparse.Namespace) -> int:
    """Become a command inside a machine, with this terminal."""
    if not options.argv:
        raise CommandFailed("lab exec", "no command is given", lab.command("exec VM COMMAND …"))
    space = lab.namespace(options.vm)
    sys.stdout.flush()
    os.execvp("ip", ["ip", "netns", "exec", space, *options.argv])


def ping(lab: Lab, options: argparse.Namespace) -> int:
    """Ping one machine, or an address, from another; the exit code is 0 when every request was answered."""
    lab.namespace(options.source)
    try:
        address(lab.address(options.destination))
    except OSError:
        lab.namespace(options.destination)  # neither an address nor a machine: the error names those that there are
    report = lab.ping(options.source, options.destination, count=options.count)
    ttl = f", ttl {', '.join(map(str, report.ttl))}" if report.ttl else ""
    mean = f", {report.milliseconds:.2f} ms" if report.milliseconds is not None else ""
    print(
        f"{options.source} -> {options.destination} ({lab.address(options.destination)}):"
        f" {report.received} of {report.sent} answered{ttl}{mean}"
    )
    return 0 if report.ok else 1


COMMANDS = {"up": up, "down": down, "status": status, "exec": execute, "ping": ping}


def _parser() -> argparse.ArgumentParser:
    which = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    which.add_argument("--prefix", help=f"what the lab's namespaces and links begin with [{PREFIX}]")
    which.add_argument("--state-dir", type=Path, help="where the lab keeps its record and its switches")
    which.add_argument("--site", type=int, choices=(1, 2), help="of a lab with a wide area network: which site [1]")
    parser = argparse.ArgumentParser(prog="nshell lab", description="a whole fabric on this machine", parents=[which])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[which], help=COMMANDS[name].__doc__)

    one = command("up")
    one.add_argument("--hypervisors", type=int, default=3, metavar="N", help="how many [3]")
    one.add_argument("--vms", type=Path, metavar="FILE", help="the virtual machines, and what is outside (TOML)")
    one.add_argument("--underlay", choices=("ipv4", "ipv6"), help="what tunnels go over [ipv4]")
    one.add_argument("--wan", action="store_true", help="with routers, a PE, a VTEP and hosts behind them")
    one.add_argument("--igp", choices=IGPS, default="ospf", help="what the WAN's routers speak [ospf]")
    one.add_argument("--reflector", action="store_true", help="with a route reflector")
    one.add_argument("--sites", type=int, choices=(1, 2), default=1, help="how many the WAN joins [1]")
    one.add_argument(
        "--state", metavar="DIR", help="state directory of the controller that they trust [that of 'nshell']"
    )
    one.add_argument("--no-agents", action="store_true", help="without the hypervisors' agents")
    command("down")
    one = command("status")
    one.add_argument("--json", action="store_true")
    one = command("exec")
    one.add_argument("vm")
    one.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    one = command("ping")
    one.add_argument("source")
    one.add_argument("destination")
    one.add_argument("--count", type=int, default=3)
    return parser
