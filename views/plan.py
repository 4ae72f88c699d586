"""The plan of a commit: changed policy, what each hypervisor gains and loses, then every flow.

policy     egress-policy db: entry 20 added
domains    3 domains: 14 vports on hv1, hv3
           acme/prod: 12 vports on hv1, hv3 (app-1, app-2, app-3, app-4 and 8 more)
reach      app-1, app-2 -> db-1 tcp/5432         denied -> allowed
hv1        no change
hv3        +2 flows (egress_acl), 0 removed
bgp-neighbor pe1 +1 -0
configuration check succeeds; nothing was applied

hv3
  + egress_acl      priority=...,tcp,... actions=...  # egress-policy acme/prod/db/20
"""

from __future__ import annotations

from collections.abc import Sequence

from views.color import of_difference
from views.models import Plan, PlanHypervisor, PlanSide

LABEL = 10
UNCHANGED = "no change"
ITSELF = "changed"
"""Of a neighbour that comes, goes or begins anew, and is told nothing else yet; the line below says which."""
TABLES = 4
"""Tables named on the line of one hypervisor; the flows below name all."""
DOMAINS = 16
"""Domains that follow a template and are named; the first line counts all."""
VPORTS = 4
"""Vports named of each."""


def count_line(hypervisor: PlanHypervisor) -> str:
    """The counts of one hypervisor in words."""
    if not hypervisor.added and not hypervisor.removed:
        text = UNCHANGED
    else:
        added = tables([name for name, (more, _) in hypervisor.by_table.items() if more])
        removed = tables([name for name, (_, less) in hypervisor.by_table.items() if less])
        noun = "flow" if hypervisor.added == 1 else "flows"
        text = f"+{hypervisor.added} {noun}" + (f" ({added})" if added else "")
        text += f", {hypervisor.removed} removed" + (f" ({removed})" if removed else "")
    if text != UNCHANGED and hypervisor.state not in ("ready", ""):
        text += f"   [{hypervisor.state}: applied when it returns]"
    return text


def side_line(side: PlanSide) -> str:
    """The counts of one neighbour or router in words."""
    text = f"+{side.added} -{side.removed}" if side.added or side.removed else ITSELF if side.lines else UNCHANGED
    return text + (f"   [{side.state}]" if side.state else "")


def tables(names: list[str]) -> str:
    """The tables by name; their number when they are more than TABLES."""
    return ", ".join(names) if len(names) <= TABLES else f"{len(names)} tables"


def domain_lines(plan: Plan) -> list[str]:
    """The domains that follow an edited template: some of them, and some of their vports, unless all are asked for."""
    if not plan.domains:
        return []
    vports = sum(len(each.vports) for each in plan.domains)
    everywhere = sorted({name for each in plan.domains for name in each.dvrs})
    number = len(plan.domains)
    lines = [f"{number} domain{'s' * (number != 1)}: {_on(vports, everywhere)}"]
    shown = number if plan.detail else DOMAINS
    for each in plan.domains[:shown]:
        names = [name.rpartition("/")[2] for name in each.vports]
        some = names if plan.detail else names[:VPORTS]
        rest = f" and {len(names) - len(some)} more" if len(names) > len(some) else ""
        lines.append(f"{each.domain}: {_on(len(names), each.dvrs)}" + (f" ({', '.join(some)}{rest})" if some else ""))
    if number > shown:
        lines.append(f"and {number - shown} more: 'commit check detail' names all")
    return lines


def _on(vports: int, dvrs: Sequence[str]) -> str:
    if not vports:
        return "no vport there is concerned"
    where = f"on {', '.join(dvrs)}" if dvrs else "on no hypervisor yet"
    return f"{vports} vport{'s' * (vports != 1)} {where}"


def render_plan(plan: Plan, color: bool = False) -> list[str]:
    """The plan as lines; flows that come and go are coloured."""
    names = [each.name for each in plan.hypervisors] + [each.name for each in plan.sides]
    width = max([LABEL, *map(len, names)])
    lines = [f"{'policy'.ljust(width)} {line}" for line in plan.summary]
    lines += [f"{('' if at else 'domains').ljust(width)} {line}" for at, line in enumerate(domain_lines(plan))]
    lines += [f"{('' if at else 'reach').ljust(width)} {line}" for at, line in enumerate(plan.reach)]
    lines += [f"{hypervisor.name.ljust(width)} {count_line(hypervisor)}" for hypervisor in plan.hypervisors]
    lines += [f"{side.name.ljust(width)} {side_line(side)}" for side in plan.sides]
    lines.append("configuration check succeeds; nothing was applied")
    changes = [(each.name, each.flows) for each in plan.hypervisors] + [(each.name, each.lines) for each in plan.sides]
    for name, texts in changes:
        if texts:
            lines += ["", name, *(f"  {text}" for text in (map(of_difference, texts) if color else texts))]
    return lines
