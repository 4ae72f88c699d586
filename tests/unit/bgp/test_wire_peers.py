"""Our codec beside os-ken's, and on what FRR and GoBGP put on the wire."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from controller.bgp.routes import AutoDiscovery, IpPrefix, Route
from controller.bgp.wire import Decoder, encode_updates, encode_withdrawals, update_body
from tests.unit.bgp.wire_examples import CAPTURED, ROUTES
from tests.unit.bgp.wire_oracle import parsed, said

NAMES = [f"{type(route.nlri).__name__}-{number}" for number, route in enumerate(ROUTES)]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_os_ken_reads_what_we_announce(route: Route) -> None:
    (message,) = encode_updates([route])
    announced, withdrawn = said(parsed(message))
    assert announced == [_unordered(route)] and not withdrawn


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_we_read_what_os_ken_announces(route: Route) -> None:
    """os-ken writes it anew from its own objects."""
    (message,) = encode_updates([route])
    theirs = bytes(parsed(message).serialize())
    found = Decoder().update(update_body(theirs))
    assert found == ((_unordered(route),), (), (), None)


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_os_ken_reads_what_we_withdraw(route: Route) -> None:
    (message,) = encode_withdrawals([route.nlri])
    announced, withdrawn = said(parsed(message))
    assert not announced and [one.key for one in withdrawn] == [route.nlri.key]


@pytest.mark.parametrize("speaker", ["frr", "gobgp", "gobgp-cli"])
def test_real_speakers_are_read_as_os_ken_reads_them(speaker: str) -> None:
    decoder = Decoder()
    messages = [body for name, body in CAPTURED if name == speaker]
    assert len(messages) > 10
    for body in messages:
        found = decoder.update(body)
        assert not found.faults, body.hex()
        message = b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body
        announced, withdrawn = said(parsed(message))
        assert list(map(_unordered, found.announced)) == announced
        assert list(found.withdrawn) == withdrawn


@pytest.mark.parametrize("speaker", ["frr", "gobgp"])
def test_reflectors_gave_on_what_we_had_told_them(speaker: str) -> None:
    decoder, found = Decoder(), {}
    for name, body in CAPTURED:
        if name == speaker:
            found.update({route.nlri.key: route for route in decoder.update(body).announced})
    for route in ROUTES:
        reflected = found[route.nlri.key]
        sent = route.nlri
        if speaker == "frr":  # FRR 8.4 does not keep the gateway of a prefix, nor the label of a segment
            sent = replace(sent, gateway=None) if isinstance(sent, IpPrefix) else sent
            sent = replace(sent, label=0) if isinstance(sent, AutoDiscovery) else sent
        assert reflected.nlri == sent
        assert reflected.attributes.as_path == route.attributes.as_path
        assert reflected.attributes.pmsi == route.attributes.pmsi
        assert set(route.attributes.targets) <= set(reflected.attributes.targets) or not reflected.attributes.extended


@pytest.mark.parametrize("speaker", ["frr", "gobgp"])
def test_reflectors_took_back_what_we_took_back(speaker: str) -> None:
    decoder, found = Decoder(), set()
    for name, body in CAPTURED:
        if name == speaker:
            found |= {nlri.key for nlri in decoder.update(body).withdrawn}
    assert {route.nlri.key for route in ROUTES} <= found


def _unordered(route: Route) -> Route:
    """A set of autonomous systems has no order; os-ken's is that of Python, so both are sorted."""
    path, length = route.attributes.as_path, route.attributes.as_path_length
    return Route(route.nlri, replace(route.attributes, as_path=(*path[: length - 1], *sorted(path[length - 1 :]))))
