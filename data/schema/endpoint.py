"""The ends of a rule: `any`, or the kind and name of something that stands for a set of addresses."""

from __future__ import annotations

import msgspec

from data.schema.types import ValueType


class Endpoint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One side of a policy entry: `any`, or the name of something that stands for a set of addresses."""

    kind: str = "any"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


ANY = Endpoint()
ENDPOINT_KINDS: dict[str, str] = {
    "any": "every address",
    "vport": "the addresses of one vport",
    "policy-group": "the vports of a policy group",
    "zone": "the subnets of a zone",
    "subnet": "the prefix of a subnet",
    "network-macro": "an outside prefix of the enterprise",
}
"""The kinds an entry may name in `from` and `to`, with their help."""


def _no_single_word(word: str) -> Endpoint:
    raise AssertionError("an endpoint is two words and is parsed by words.py")


ENDPOINT = ValueType(
    "endpoint",
    "any|<kind> <name>",
    _no_single_word,
    "any, or a kind and the name of an object of the domain",
    choices=tuple(ENDPOINT_KINDS.items()),
    json_type="object",
)
