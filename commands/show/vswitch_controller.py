"""show vswitch-controller ...: our commands as the reference platform (Nuage VSC) spells them, for fingers that know
it.

Second grammars of the same handlers; what has no counterpart here (XMPP, VSD) is left out. `tools vswitch` runs a
command of ovs-appctl on a hypervisor, as `tools dvrs` does.
"""

from __future__ import annotations

import shlex

from commands.context import Context
from commands.diagnose.tools import ask
from commands.language.registry import Arguments, command
from commands.show.dvrs import show_dvrs
from commands.show.policy import show_domains, show_enterprises, show_subnets
from commands.show.routes import show_arp, show_mac, show_routes
from commands.show.vports import show_vports
from data.errors import CommandFailed
from views.models import Lines, Model

VSC = "show vswitch-controller"
TENANT = "enterprise <enterprise>"
IN_DOMAIN = f"{TENANT} domain <domain>"
WORDS = {
    "vswitch-controller": "the same in the words of Nuage's VSC",
    "domain": "routing instances of the tenant",
    "subnet": "segments of the domain",
    "enterprise": "tenants, and what they have",
    "vswitches": "hypervisors, as 'show dvrs'",
    "vswitch-instance": "one by its name",
    "vport-name": "one by its name",
    "vm-name": "one by its name",
}


def spelled(handler: object, grammar: str, help: str) -> None:
    """One more grammar for a handler."""
    command(f"{VSC} {grammar}", help=help, words=WORDS, confined=True)(handler)  # type: ignore[type-var]


spelled(show_enterprises, "enterprise", "tenants, as 'show enterprises'")
spelled(show_domains, f"{TENANT} domain", "routing instances, as 'show domains'")
spelled(show_subnets, f"{IN_DOMAIN} subnet", "segments, as 'show subnets'")
spelled(show_vports, "vports [type {vm|host|bridge|container}] [enterprise <enterprise> [domain <domain> [subnet <subnet>]]] [vport-name <vport>] [detail]", "virtual ports, as 'show vports'")  # fmt: skip  # noqa: E501
spelled(show_routes, f"ip-routes {IN_DOMAIN}", "the routing table of a domain, as 'show routes'")
spelled(show_mac, f"mac-routes {IN_DOMAIN} [subnet <subnet>]", "MAC addresses, as 'show mac'")
spelled(show_arp, f"arp-routes {IN_DOMAIN} [subnet <subnet>]", "addresses that are answered for, as 'show arp'")


@command("show vms [enterprise <enterprise> [domain <domain> [subnet <subnet>]]] [detail]", help="virtual machines: vports of type vm", confined=True)  # fmt: skip  # noqa: E501
@command(f"{VSC} virtual-machines [enterprise <enterprise> [domain <domain> [subnet <subnet>]]] [vm-name <vport>] [detail]", help="virtual machines, as 'show vms'", words=WORDS, confined=True)  # fmt: skip  # noqa: E501
async def show_vms(context: Context, arguments: Arguments) -> Model:
    """`show vports type vm`."""
    return await show_vports(context, Arguments({**arguments.values, "type": "vm"}, arguments.words))


@command(f"{VSC} vswitches [detail]", help="hypervisors, as 'show dvrs'", words=WORDS)
@command(f"{VSC} vswitches vswitch-instance <dvrs> [detail]", help="one hypervisor, as 'show dvrs'", words=WORDS)
async def show_vswitches(context: Context, arguments: Arguments) -> Model:
    """`show dvrs`."""
    return await show_dvrs(context, arguments)


@command("tools dvrs <dvrs> command <line>", help='"ovs-appctl ...": a diagnostic, in quotes', permission="tools")
@command("tools vswitch <dvrs> command <line>", help='"ovs-appctl ...", as the VSC spells it', permission="tools")
async def tools_command(context: Context, arguments: Arguments) -> Lines:
    """The agent runs what it allows of ovs-appctl, and nothing else."""
    try:
        program, *words = shlex.split(arguments.values["line"]) or [""]
    except ValueError as problem:
        raise CommandFailed("command", str(problem), 'close the quote: command "ovs-appctl version"') from None
    if program != "ovs-appctl":
        raise CommandFailed(
            f"command {program}", "only ovs-appctl is run on hypervisors", 'write command "ovs-appctl version"'
        )
    return await ask(context, arguments, "appctl", {"command": words})
