"""A trace on a hypervisor with 100,000 flows of eight domains: the first question, the next, and with all indexed.

What stalls the event loop is the longest step, not the time of the whole: each of a row's samples is one whole trace.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import perf_counter, thread_time

from controller.compile import Location, Placement, State, compile_all, start
from controller.compile.layered import Layered
from controller.numbers import Numbers
from controller.trace import Compiled, Question, Trace, trace
from data.candidate import Candidate
from data.configuration import Running
from data.schema.objects import Vport
from data.steps import Steps, at_once
from tests.bench.measure import Row, median

NAME = "trace"
ABOUT = "trace on a hypervisor with 100,000 flows"
DOMAINS, VPORTS, RULES, GROUPS = 8, 1000, 100, 20
ROUNDS = 5
MOST_FIRST, MOST_STEP = 1.0, 0.02  # seconds
_PROD = "set enterprise e{} domain prod"


def network() -> State:
    """Each domain with its vports in groups, on two hypervisors, and stateful rules between the groups."""
    lines = ["set dvrs hv1 tunnel-address 172.31.0.1", "set dvrs hv2 tunnel-address 172.31.0.2"]
    for domain in range(DOMAINS):
        base = _PROD.format(domain)
        lines.append(f"{base} zone z subnet s prefix 10.0.0.0/16")
        lines += [f"{base} policy-group g{group}" for group in range(GROUPS)]
        lines += [
            f"{base} egress-policy p entry {rule + 1} from policy-group g{rule % GROUPS}"
            f" to policy-group g{rule * 7 % GROUPS} protocol tcp destination-port {rule + 1} action allow stateful"
            for rule in range(RULES)
        ]
        for vport in range(VPORTS):
            high, low = divmod(vport + 10, 256)
            lines.append(
                f"{base} vport v{vport} subnet s mac 02:00:{domain:02x}:00:{high:02x}:{low:02x}"
                f" address 10.0.{high}.{low} policy-group g{vport % GROUPS}"
            )
    running = Running()
    candidate = Candidate(running, "bench")
    candidate.apply_batch(lines, "bench")
    running.apply(candidate.edits(), 1)
    places = {body.uuid: Location(f"hv{n % 2 + 1}", n + 1) for n, (_, body) in enumerate(running.objects(Vport))}
    placement = Placement({"hv1": 65000, "hv2": 65000}, Layered(places))
    return at_once(start(running, placement, Numbers()))


def timed(steps: Steps[Trace]) -> tuple[float, float]:
    """Seconds of the whole, and of its longest step; of the latter what the processor spent on it."""
    began, longest = perf_counter(), 0.0
    while True:
        step = thread_time()
        try:
            next(steps)
        except StopIteration:
            return perf_counter() - began, max(longest, thread_time() - step)
        longest = max(longest, thread_time() - step)


def measure() -> Iterator[Row]:
    state = network()
    flows = len(at_once(compile_all(state, "hv1")))
    vports = ("enterprise", "e0", "domain", "prod", "vport")
    question = Question((*vports, "v0"), (*vports, f"v{VPORTS - 2}"), protocol="tcp", destination_port=5)
    gc.collect()
    gc.freeze()  # as the daemon does: its configuration is not looked at by every collection
    first, again, whole, steps = list[float](), list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        contents = Compiled(state, question.source[:4])
        seconds, longest = timed(trace(state, question, contents))
        first.append(seconds)
        steps.append(longest)
        again.append(timed(trace(state, question, contents))[0])
        whole.append(timed(trace(state, question, Compiled(state)))[0])
    gc.unfreeze()
    about = f"{flows:,} flows on the hypervisor, {DOMAINS} domains"
    yield Row("trace: the first of a domain (at most 1 s)", median(first), MOST_FIRST, 1.0, "s", about, {"ours": first})
    yield Row("trace: its longest step (at most 20 ms)", median(steps), MOST_STEP, 1.0, "s", about, {"ours": steps})
    yield Row("trace: the next in the same domain", median(again), None, None, "s", about, {"ours": again})
    yield Row(
        "trace: with every flow of the hypervisor indexed", median(whole), None, None, "s", about, {"ours": whole}
    )
