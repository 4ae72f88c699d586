"""Hypervisors: tunnels have two ends of one family."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address as as_ip
from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.objects import Dvrs


@rule(Dvrs)
def tunnel_addresses_are_of_one_family(check: Check, path: Path, dvrs: Dvrs) -> Iterator[Problem]:
    """Looked at once for all edited hypervisors; the family is that of the first one that stays as it is."""
    if not check.first_time("tunnel families"):
        return
    known = [(where, item.tunnel_address) for where, item in check.view.objects(Dvrs) if item.tunnel_address]
    model = next((pair for pair in known if pair[0] not in check.edits), known[0] if known else None)
    if model is None:
        return
    family = as_ip(model[1]).version
    for where, text in known:
        if where in check.edits and as_ip(text).version != family:
            same = f"as {model[1]} of dvrs {model[0][-1]} is: tunnels need one family"
            cause = f"{text} is not an IPv{family} address, {same}"
            yield problem(where, "tunnel-address", cause, f"choose an IPv{family} address, or change all in one commit")
