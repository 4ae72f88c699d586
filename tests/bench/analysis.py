"""What is found of 1,000 entries over 1,000 vports in 681 distinct sets of groups, and the longest step of it.

What stalls the event loop is the longest step, in time of the processor.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from time import perf_counter, thread_time

from controller.analysis.ends import ends_now
from controller.analysis.findings import findings
from controller.compile import Placement, State, start
from controller.numbers import Numbers
from data.candidate import Candidate
from data.configuration import Running
from data.path import Path
from data.steps import Steps, at_once
from tests.bench.measure import Row, median

NAME = "analysis"
ABOUT = "shadowed and redundant entries of a large domain"
VPORTS, RULES, GROUPS = 1000, 1000, 50
ROUNDS = 5
MOST, MOST_STEP = 2.0, 0.02  # seconds
_PROD: Path = ("enterprise", "acme", "domain", "prod")


def network() -> State:
    """One domain: vports in two groups of fifty each, entries between groups, one that allows the rest."""
    dice, base = random.Random(1), f"set {' '.join(_PROD)}"
    lines = [f"{base} zone z subnet s prefix 10.20.0.0/16", *(f"{base} policy-group g{n}" for n in range(GROUPS))]
    for n in range(VPORTS):
        groups = " ".join(f"policy-group g{group}" for group in dice.sample(range(GROUPS), 2))
        high, low = divmod(n + 10, 250)
        lines.append(
            f"{base} vport v{n} subnet s mac 02:00:00:01:{high:02x}:{low:02x} address 10.20.{high}.{low} {groups}"
        )
    for n in range(RULES):
        first = dice.randrange(1, 60000)
        ends = f"from policy-group g{dice.randrange(GROUPS)} to policy-group g{dice.randrange(GROUPS)}"
        action = dice.choice(("allow stateful", "deny"))
        ports = f"protocol {dice.choice(('tcp', 'udp'))} destination-port {first}-{first + dice.randrange(2000)}"
        lines.append(f"{base} ingress-policy p entry {n + 1} {ends} {ports} action {action}")
    lines.append(f"{base} ingress-policy p entry {RULES + 1} action allow")
    running = Running()
    candidate = Candidate(running, "bench")
    candidate.apply_batch(lines, "bench")
    running.apply(candidate.edits(), 1)
    return at_once(start(running, Placement(), Numbers()))


def longest(steps: Steps[object]) -> float:
    """Seconds of the processor that the longest step took."""
    most = 0.0
    while True:
        began = thread_time()
        try:
            next(steps)
        except StopIteration:
            return max(most, thread_time() - began)
        most = max(most, thread_time() - began)


def measure() -> Iterator[Row]:
    state = network()
    policy = state.policy(_PROD)
    gc.collect()
    gc.freeze()  # as the daemon does: its configuration is not looked at by every collection
    whole, steps = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = perf_counter()
        ends = at_once(ends_now(state.view, policy))
        steps.append(longest(findings(policy, "ingress", ends["ingress"])))
        whole.append(perf_counter() - began)
    gc.unfreeze()
    size = f"{RULES} entries, {VPORTS} vports"
    yield Row("what is found of a domain's entries", median(whole), MOST, 1.0, "s", size, {"ours": whole})
    yield Row("the same: its longest step", median(steps), MOST_STEP, 1.0, "s", size, {"ours": steps})
