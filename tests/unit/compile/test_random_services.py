"""Random commits, moves and observations in a network that uses every edge service at once: what switches hold is what
a compilation from nothing makes, no two services speak about one flow, and every way back leads back.

`test_random_configurations.py` does it with the policy model in more depth. To soak: RANDOM_SERVICES=500 pytest this.
"""

from __future__ import annotations

import os
import random

import pytest

from data.errors import NshellError
from tests.unit.compile.committed import Committed
from tests.unit.compile.service_lines import BRIDGES, DOMAINS, HOSTS, VPORTS, everything, random_facts, random_line

STEPS = 40
SEEDS = int(os.environ.get("RANDOM_SERVICES", "8"))


def random_step(model: Committed, dice: random.Random) -> None:
    """An interface or uplink elsewhere, facts, a rollback, or a commit. Raises NshellError when it is refused."""
    what = dice.random()
    if what < 0.15:
        name = f"{dice.choice(DOMAINS)}/{dice.choice(VPORTS)}"
        model.place(name, dice.choice(("", *HOSTS, *HOSTS)), model.port())
    elif what < 0.2:
        model.plug(f"wan{dice.randrange(3)}", dice.choice(HOSTS), dice.choice((0, model.port(), model.port())))
    elif what < 0.45:
        model.observe(random_facts(model, dice))
    else:
        candidate = model.candidate()
        if what < 0.52:
            candidate.rollback_to(dice.choice(model.history[-6:]))
        else:
            for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
                try:
                    candidate.apply_batch([random_line(model, dice)], "test")
                except NshellError:
                    model.refused += 1
        model.merge(candidate)


def populated(dice: random.Random) -> Committed:
    """All services, with everybody plugged in."""
    model = Committed()
    model.commit(*everything())
    for domain in dict.fromkeys(DOMAINS):
        for name in VPORTS:
            model.place(f"{domain}/{name}", dice.choice(HOSTS), model.port())
    for enterprise in ("infra", "acme", "bolt"):
        model.place(f"{enterprise}/lan/v0", dice.choice(HOSTS), model.port())
    for nth in range(3):
        model.plug(f"wan{nth}", dice.choice(HOSTS), model.port())
    assert BRIDGES
    return model


@pytest.mark.parametrize("seed", range(SEEDS))
def test_with_all_services_at_once_switches_hold_what_a_compilation_from_nothing_makes(seed: int) -> None:
    dice = random.Random(seed)
    model = populated(dice)
    model.agree()
    for _ in range(STEPS):
        try:
            random_step(model, dice)
        except NshellError:
            model.refused += 1
        model.agree()
    assert model.configured.revision > STEPS // 8, "nearly everything was refused, so this shows little"
