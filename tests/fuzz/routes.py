"""UPDATE messages of a BGP peer; the first byte says what kind of session it is."""

from __future__ import annotations

from collections.abc import Callable

from controller.bgp.routes import Encapsulation, Family, Route
from controller.bgp.wire import Action, Decoder, WireError, decode_nlri, encode_updates, encode_withdrawals, update_body
from controller.bgp.wire.faults import FAULTS_KEPT
from tests.unit.bgp.wire_examples import CAPTURED, EVERYTHING, ROUTES


def updates(data: bytes) -> None:
    """A message twice through one session; what it announces must be something that can be said, and come back."""
    kind = data[0] if data else 0
    spoken = Encapsulation.MPLS if kind & 4 else Encapsulation.VXLAN
    decoder = Decoder(internal=not kind & 1, as4=not kind & 2, encapsulation=spoken)
    found = decoder.update(data[1:])
    assert decoder.update(data[1:]) == found, "what is remembered is what was read"
    assert len(found.faults) <= FAULTS_KEPT + 1
    assert all(fault.reason and len(fault.reason) < 300 for fault in found.faults)
    assert not {route.nlri.key for route in found.announced} & {nlri.key for nlri in found.withdrawn}
    if found.action is Action.RESET:
        assert not found.announced and not found.withdrawn and found.end_of_rib is None
    for message in encode_withdrawals(found.withdrawn):
        assert not decoder.update(update_body(message)).faults
    for route in found.announced[:4]:
        said_again(route, spoken)


def said_again(route: Route, spoken: Encapsulation) -> None:
    """One that a peer announced, from us to somebody else."""
    path, length = route.attributes.as_path, route.attributes.as_path_length
    try:
        (message,) = encode_updates([route], 65535, encapsulation=spoken)
    except WireError:
        assert len(path) - length > 254, "only a set that is too large cannot be said"
        return
    again = Decoder(encapsulation=spoken).update(update_body(message))
    assert not again.faults
    (heard,) = again.announced
    assert heard.nlri == route.nlri and heard.attributes.as_path == path
    assert heard == route or heard.attributes.as_path_length == len(path), "a confederation becomes a sequence"


def fields(data: bytes) -> None:
    """NLRI alone, of any family."""
    for family in Family:
        for withdrawal in (False, True):
            try:
                decode_nlri(family, data, withdrawal=withdrawal)
            except WireError as problem:
                assert len(str(problem)) < 300


TARGETS: dict[str, Callable[[bytes], None]] = {"bgp-updates": updates, "bgp-nlri": fields}

SEEDS: dict[str, list[bytes]] = {
    "bgp-updates": [
        *(b"\0" + body for _, body in CAPTURED[::3]),
        *(b"\4" + update_body(message) for message in encode_updates(ROUTES)),
        b"\2" + update_body(encode_updates([Route(ROUTES[-1].nlri, EVERYTHING)], as4=False)[0]),
        *(b"\1" + update_body(message) for message in encode_withdrawals([route.nlri for route in ROUTES])),
    ],
    "bgp-nlri": [
        b"\2\x21" + bytes(22) + b"\x30" + bytes(10),
        b"\x70\0\1\xf1" + bytes(8) + b"\x0a\1\1",
        b"\x18\x0a\1\1",
    ],
}
