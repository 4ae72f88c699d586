"""Health probes and what comes back, against frames of an independent implementation."""

from __future__ import annotations

from controller.packets.probe import EchoReply, Holder, TcpAnswer, answer, echo_request, tcp_reset, tcp_syn, who_has
from tests.unit.packets.golden import A4, A6, B4, B6, GOLDEN, A, B


def test_probes_of_both_families_are_those_of_scapy() -> None:
    assert echo_request(A, B, A4, B4, 77, 3) == GOLDEN["ping4"]
    assert echo_request(A, B, A6, B6, 77, 3) == GOLDEN["ping6"]
    assert tcp_syn(A, B, A4, B4, 40000, 8080, 1000) == GOLDEN["syn4"]
    assert tcp_syn(A, B, A6, B6, 40000, 8080, 1000) == GOLDEN["syn6"]
    assert who_has(A, A4, B4) == GOLDEN["arp_request"]
    assert who_has(A, A6, B6) == GOLDEN["ns"]
    assert who_has(A, A6, B6, B)[:6] == bytes.fromhex("020000000002")


def test_every_kind_of_answer_is_read() -> None:
    assert answer(GOLDEN["pong4"]) == EchoReply(A, A4, B4, 77, 3)
    assert answer(GOLDEN["pong6"]) == EchoReply(A, A6, B6, 77, 3)
    assert answer(GOLDEN["synack6"]) == TcpAnswer(A, A6, B6, 8080, 40000, 1001, True)
    assert answer(GOLDEN["reset_answer4"]) == TcpAnswer(A, A4, B4, 8080, 40000, 1001, False)
    assert answer(GOLDEN["arp_reply"]) == Holder(A, A4)
    assert answer(GOLDEN["na"]) == Holder(A, A6)


def test_an_accepted_probe_is_taken_back_by_a_reset_with_the_next_sequence_number() -> None:
    found = answer(GOLDEN["synack6"])
    assert isinstance(found, TcpAnswer)
    assert tcp_reset(A, B, found) == GOLDEN["rst6"]


def test_questions_are_no_answers() -> None:
    names = ("ping4", "ping6", "syn4", "syn6", "rst6", "arp_request", "gratuitous", "ns", "rs", "ra", "udp4")
    assert [name for name in names if answer(GOLDEN[name]) is not None] == []


def test_half_an_answer_is_none() -> None:
    for name in ("pong4", "pong6", "synack6", "reset_answer4", "arp_reply", "na"):
        assert [n for n in range(len(GOLDEN[name])) if answer(GOLDEN[name][:n]) is not None] == []


def test_a_segment_that_both_opens_and_resets_is_no_answer() -> None:
    odd = bytearray(GOLDEN["reset_answer4"])
    for flags in (0x16, 0x11, 0x02, 0x04, 0x10, 0x13):
        odd[47] = flags
        assert answer(bytes(odd)) is None
