"""Random commits, moves and observations in a network that uses every edge service at once: what switches hold is what
a compilation from nothing makes, no two services speak about one flow, and every way back leads back.

`test_random_configurations.py` does it with the policy model in more depth. To soak: RANDOM_SERVICES=500 pytest this.
"""

from __future__ import annotations

import os
import random

import pytest

from controller.ovsdb.model import UPLINK
from data.errors import NshellError
from tests.unit.compile.committed import Committed, Plugged
from tests.unit.compile.service_lines import DOMAINS, HOSTS, VPORTS, everything, random_facts, random_line

STEPS = 40
SEEDS = int(os.environ.get("RANDOM_SERVICES", "8"))


def random_step(model: Committed, dice: random.Random) -> None:
    """An interface or uplink elsewhere, facts, a rollback, or a commit. Raises NshellError when it is refused."""
    what = dice.random()
    if what < 0.2:
        model.plug(random_interfaces(model, dice), settled=dice.random() < 0.8)
    elif what < 0.45:
        model.observe(random_facts(model, dice))
    else:
        candidate = model.candidate()
        if what < 0.52:
            candidate.rollback_to(dice.choice((*model.history[-6:], model.history[0], model.history[0])))
        else:
            for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
                try:
                    candidate.apply_batch([random_line(model, dice)], "test")
                except NshellError:
                    model.refused += 1
        model.merge(candidate)


def random_interfaces(model: Committed, dice: random.Random) -> list[Plugged]:
    """Interfaces that appear or go at once, on ports that others had before."""
    found, taken = [], set[tuple[str, int]]()
    for _ in range(dice.choice((1, 1, 2, 5))):
        dvrs = dice.choice(HOSTS)
        uplink = dice.random() < 0.2
        claim = f"{UPLINK}wan{dice.randrange(3)}" if uplink else f"{dice.choice(DOMAINS)}/{dice.choice(VPORTS)}"
        free = [port for port in range(1, 30) if port not in model.ports(dvrs) and (dvrs, port) not in taken]
        port = dice.choice((0, free[0], free[0]))
        taken.add((dvrs, port))
        found.append(Plugged(claim, dvrs, port))
    return found


def populated(dice: random.Random) -> Committed:
    """All services, with everybody plugged in."""
    model = Committed()
    model.commit(*everything())
    claims = [f"{domain}/{name}" for domain in dict.fromkeys(DOMAINS) for name in VPORTS]
    claims += [f"{enterprise}/lan/v0" for enterprise in ("infra", "acme", "bolt")]
    claims += [f"{UPLINK}wan{nth}" for nth in range(3)]
    model.plug([Plugged(claim, dice.choice(HOSTS), port) for port, claim in enumerate(claims, 1)])
    return model


@pytest.mark.parametrize("seed", range(SEEDS))
def test_with_all_services_at_once_switches_hold_what_a_compilation_from_nothing_makes(seed: int) -> None:
    dice = random.Random(seed)
    model = populated(dice)
    model.agree()
    for step in range(STEPS):
        try:
            random_step(model, dice)
        except NshellError:
            model.refused += 1
        model.agree(HOSTS[step % len(HOSTS)])  # one after the other: all of them cost three times as much
    model.agree()
    assert model.configured.revision > STEPS // 8, "nearly everything was refused, so this shows little"
