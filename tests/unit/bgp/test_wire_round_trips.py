"""Whatever can be said comes back as it was said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.bgp.routes import Attributes, Encapsulation, Family, MacIp, Nlri, Route, Unicast, VpnPrefix, family_of
from controller.bgp.wire import (
    Decoder,
    WireError,
    decode_next_hop,
    decode_nlri,
    decode_update,
    encode_next_hop,
    encode_nlri,
    encode_updates,
    encode_withdrawals,
    end_of_rib,
    update_body,
)
from data.addresses import prefix
from tests.unit.bgp import wire_examples as examples
from tests.unit.bgp.wire_examples import EVERYTHING, HOP, MAC, RD, ROUTES, TARGET


@given(nlri=st.one_of(examples.evpn(24), examples.vpn, examples.unicast))
def test_a_route_comes_back(nlri: Nlri) -> None:
    encoded = encode_nlri(nlri, Encapsulation.VXLAN)
    assert decode_nlri(family_of(nlri), encoded * 3, Encapsulation.VXLAN) == (nlri,) * 3


@given(nlri=examples.evpn(20))
def test_a_labelled_evpn_route_comes_back(nlri: Nlri) -> None:
    assert decode_nlri(Family.EVPN, encode_nlri(nlri, Encapsulation.MPLS), Encapsulation.MPLS) == (nlri,)


@given(found=st.lists(examples.routes, max_size=20, unique_by=lambda route: route.nlri.key))
def test_updates_come_back_with_all_their_attributes(found: list[Route]) -> None:
    decoder = Decoder()
    messages = encode_updates(found, 65535)
    updates = [decoder.update(update_body(message)) for message in messages]
    assert not any(update.faults for update in updates)
    assert {route for update in updates for route in update.announced} == set(found)


@given(found=st.lists(st.one_of(examples.evpn(20), examples.vpn, examples.unicast), max_size=60))
def test_withdrawals_come_back_by_key(found: list[Nlri]) -> None:
    messages = encode_withdrawals(found, 300)
    assert all(len(message) <= 300 for message in messages)
    updates = [decode_update(update_body(message)) for message in messages]
    assert not any(update.faults or update.announced for update in updates)
    assert {one.key for update in updates for one in update.withdrawn} == {one.key for one in found}


@given(hop=examples._ips(), family=st.sampled_from(Family))
def test_next_hops_come_back(hop: object, family: Family) -> None:
    assert decode_next_hop(family, encode_next_hop(family, hop)) == hop  # type: ignore[arg-type]


@given(found=examples.attributes(examples.VXLAN, st.just(HOP)))
def test_a_speaker_of_two_bytes_is_told_the_whole_path(found: Attributes) -> None:
    (message,) = encode_updates([Route(Unicast(prefix("10.1.0.0/16")), found)], 65535, as4=False)
    update = decode_update(update_body(message), as4=False)
    assert not update.faults
    assert update.announced[0].attributes == found


@pytest.mark.parametrize("size", [4096, 65535])
def test_messages_are_as_few_as_their_size_allows(size: int) -> None:
    routes = [Route(VpnPrefix(RD, prefix(f"10.{n >> 8}.{n & 255}.0/24"), (n,)), EVERYTHING) for n in range(5000)]
    messages = encode_updates(routes, size)
    assert all(len(message) <= size for message in messages)
    assert all(len(message) > size - 40 for message in messages[:-1])
    decoder = Decoder()
    updates = [decoder.update(update_body(message)) for message in messages]
    assert [route for update in updates for route in update.announced] == routes


def test_equal_attributes_share_messages_and_one_value() -> None:
    routes = [Route(VpnPrefix(RD, prefix(f"10.0.{n}.0/24"), (n,)), replace(EVERYTHING)) for n in range(200)]
    (message, *rest) = encode_updates(routes)
    assert not rest
    decoder = Decoder()
    found = [*decoder.update(update_body(message)).announced, *decoder.update(update_body(message)).announced]
    assert len({id(route.attributes) for route in found}) == 1


def test_what_a_session_remembers_is_bounded() -> None:
    decoder = Decoder()
    for number in range(3000):
        route = Route(Unicast(prefix("10.0.0.0/8")), replace(EVERYTHING, med=number, unknown=((0xE0, 99, bytes(900)),)))
        (message,) = encode_updates([route])
        assert decoder.update(update_body(message)).announced == (route,)
    assert len(decoder._remembered) <= 1024
    assert decoder._bytes == sum(len(key[0]) for key in decoder._remembered) <= 1 << 20


@pytest.mark.parametrize("family", Family)
def test_the_end_of_a_family_is_known(family: Family) -> None:
    body = update_body(end_of_rib(family))
    assert decode_update(body) == ((), (), (), family)
    assert decode_update(body, families=set(Family) - {family}).end_of_rib is None


@pytest.mark.parametrize(
    ("label", "encapsulation"),
    [(1 << 24, Encapsulation.VXLAN), (1 << 20, Encapsulation.MPLS), (-1, Encapsulation.MPLS)],
)
def test_a_label_that_does_not_fit_is_refused_with_its_number(label: int, encapsulation: Encapsulation) -> None:
    with pytest.raises(WireError, match=str(label)):
        encode_nlri(MacIp(RD, MAC, None, label), encapsulation)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(VpnPrefix(RD, prefix("10.0.0.0/8"), ()), EVERYTHING), "at least one label"),
        (Route(VpnPrefix(RD, prefix("10.0.0.0/32"), (1,) * 7), EVERYTHING), "too long"),
        (Route(MacIp(RD, b"\2", None, 1), EVERYTHING), "a MAC address"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, med=1 << 32)), "metric"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, unknown=((0xC0, 16, TARGET.packed),))), "EXTENDED_COMMUNITIES"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, originator_id=examples.HOP6)), "identifier"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, communities=(1,) * 1100)), "does not fit"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, communities=(1,) * 17000)), "65535"),
        (Route(ROUTES[0].nlri, replace(EVERYTHING, as_path=(1 << 32,), as_path_length=1)), "32 bits"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_reason(route: Route, words: str) -> None:
    with pytest.raises(WireError, match=words):
        encode_updates([route])


@pytest.mark.parametrize(
    "message", [b"", bytes(19), b"\xff" * 16 + b"\0\x17\1\0\0\0\0", end_of_rib(Family.EVPN) + b"x"]
)
def test_what_is_no_update_message_has_no_body(message: bytes) -> None:
    with pytest.raises(WireError):
        update_body(message)
