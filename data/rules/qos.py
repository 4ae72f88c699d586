"""QoS: a burst is what goes beyond a rate."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.services import Qos


@rule(Qos)
def bursts_go_beyond_a_rate(check: Check, path: Path, qos: Qos) -> Iterator[Problem]:
    for direction, rate, burst in (
        ("ingress", qos.ingress_rate, qos.ingress_burst),
        ("egress", qos.egress_rate, qos.egress_burst),
    ):
        if burst is not None and rate is None:
            cause = f"{direction}-burst is what goes beyond {direction}-rate, and that is not set"
            remedy = f"set {path_text(path)} {direction}-rate <kbit/s>, or delete {direction}-burst"
            yield problem(path, f"{direction}-burst", cause, remedy)
