"""What a gateway answers by itself, what it sends on, and whose replies it takes; dnspython asks and reads."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.update
import pytest

from controller.packets.dns import TTL, answer, forwardable, onward, refusal, returned
from data.addresses import Ip, address

NAMES = {
    "web-1": [address("10.1.1.11"), address("2001:db8:1::11")],
    "db": [address("10.1.1.12")],
    "many": [Ip(4, 0x0A020000 + n) for n in range(200)],
    "several": [Ip(4, 0x0A030000 + n) for n in range(60)],
    "v1.web": [address("10.1.1.14")],
    "silent": [],
}
OWNERS = {ip: name for name, found in NAMES.items() for ip in found}
ZONE = "prod.example"


def query(name: str, kind: str = "A", edns: int | bool = False, **fields: int) -> bytes:
    return dns.message.make_query(name, kind, use_edns=edns, id=0x1234, **fields).to_wire()


def asked(data: bytes, zone: str = ZONE) -> bytes | None:
    suffix = f".{zone}" if zone else ""
    return answer(data, NAMES.get, lambda ip: OWNERS[ip] + suffix if ip in OWNERS else None, zone)


def told(data: bytes, zone: str = ZONE) -> dns.message.Message:
    found = asked(data, zone)
    assert found is not None, "an answer"
    message = dns.message.from_wire(found)
    assert message.id == 0x1234 and message.flags & dns.flags.QR
    return message


def texts(message: dns.message.Message) -> list[str]:
    return sorted(f"{dns.rdatatype.to_text(one.rdtype)} {data}" for one in message.answer for data in one)


def test_names_of_vports_are_answered_in_any_case_by_family() -> None:
    four = told(query("Web-1.PROD.example"))
    assert texts(four) == ["A 10.1.1.11"] and four.answer[0].ttl == TTL and four.rcode() == dns.rcode.NOERROR
    assert str(four.question[0].name) == "Web-1.PROD.example.", "as it was asked (0x20)"
    assert four.flags & dns.flags.AA and four.flags & dns.flags.RA
    assert texts(told(query("web-1.prod.example", "AAAA"))) == ["AAAA 2001:db8:1::11"]
    assert texts(told(query("web-1.prod.example", "ANY"))) == ["A 10.1.1.11", "AAAA 2001:db8:1::11"]
    assert texts(told(query("v1.web.prod.example"))) == ["A 10.1.1.14"]
    assert texts(told(query("db"))) == ["A 10.1.1.12"], "without a suffix"


@pytest.mark.parametrize("name", ["db.prod.example", "silent.prod.example", "prod.example"])
def test_a_name_without_an_address_of_the_family_exists_all_the_same(name: str) -> None:
    nothing = told(query(name, "AAAA"))
    assert nothing.rcode() == dns.rcode.NOERROR and not nothing.answer
    assert [str(one.name) for one in nothing.authority] == ["prod.example."]
    assert dns.rdatatype.SOA == nothing.authority[0].rdtype


@pytest.mark.parametrize("name", ["nobody", "a.web-1", r"v1\.web", r"\255"])
def test_an_unknown_name_of_the_zone_does_not_exist(name: str) -> None:
    nothing = told(query(f"{name}.prod.example"))
    assert nothing.rcode() == dns.rcode.NXDOMAIN and not nothing.answer and len(nothing.authority) == 1


@pytest.mark.parametrize("name", ["www.example.org", "example", "xprod.example", "nobody", ".", "prod.example.org"])
def test_names_of_others_are_sent_on(name: str) -> None:
    data = query(name)
    assert asked(data) is None and forwardable(data)


def test_without_a_zone_only_names_that_exist_are_answered() -> None:
    assert texts(told(query("web-1"), "")) == ["A 10.1.1.11"]
    assert texts(told(query("v1.web"), "")) == ["A 10.1.1.14"]
    nothing = told(query("db", "AAAA"), "")
    assert nothing.rcode() == dns.rcode.NOERROR and not nothing.authority
    for name in ("nobody", "www.example.org"):
        assert asked(query(name), "") is None


def test_addresses_of_vports_have_names_and_those_of_others_are_sent_on() -> None:
    assert texts(told(query("11.1.1.10.in-addr.arpa", "PTR"))) == ["PTR web-1.prod.example."]
    six = "1.1" + ".0" * 18 + ".1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    assert texts(told(query(six, "PTR"))) == ["PTR web-1.prod.example."]
    assert texts(told(query("12.1.1.10.IN-ADDR.arpa", "PTR"), "")) == ["PTR db."]
    assert not told(query("11.1.1.10.in-addr.arpa", "TXT")).answer
    for below in ("1.1.1.10", "1.10", "x.1.1.10", "999.1.1.10"):
        assert asked(query(f"{below}.in-addr.arpa", "PTR")) is None
    assert asked(query("ip6.arpa", "PTR")) is None


def test_the_zone_is_not_handed_out() -> None:
    assert told(query("prod.example", "AXFR")).rcode() == dns.rcode.REFUSED
    assert texts(told(query("prod.example", "SOA")))[0].startswith("SOA prod.example. hostmaster.prod.example.")


def test_a_reply_that_is_too_long_is_cut_and_says_so() -> None:
    plain = asked(query("many.prod.example"))
    assert plain is not None and len(plain) <= 512 and plain[2] & 2
    assert (asked(query("many.prod.example", edns=0, payload=4096)) or b"")[2] & 2, "beyond what no path cuts"
    assert len(texts(told(query("several.prod.example", edns=0, payload=1232)))) == 60
    for narrow in (query("several.prod.example"), query("several.prod.example", edns=0, payload=100)):
        assert (asked(narrow) or b"")[2] & 2


def test_edns_is_answered_with_edns_of_version_0() -> None:
    assert told(query("db.prod.example")).edns == -1
    assert told(query("db.prod.example", edns=0)).edns == 0
    newer = told(query("db.prod.example", edns=1))
    assert newer.rcode() == dns.rcode.BADVERS and not newer.answer


def test_what_is_no_query_is_refused_by_its_kind() -> None:
    update = dns.update.UpdateMessage("prod.example", id=0x1234)
    assert told(update.to_wire()).rcode() == dns.rcode.NOTIMP and not forwardable(update.to_wire())
    none = bytearray(query("db.prod.example"))
    none[4:6] = b"\0\0"
    assert told(bytes(none[:12])).rcode() == dns.rcode.FORMERR and not forwardable(bytes(none))
    loop = query("db.prod.example")[:12] + b"\xc0\x0c\0\1\0\1"
    found = asked(loop)
    assert found is not None and found[3] & 15 == dns.rcode.FORMERR and not forwardable(loop)
    chaos = dns.message.make_query("version.bind", "TXT", "CH").to_wire()
    assert asked(chaos) is None and forwardable(chaos)


def test_replies_and_shreds_are_dropped() -> None:
    reply = asked(query("db.prod.example")) or b""
    for data in (reply, b"", query("db")[:11]):
        assert asked(data) is None and not forwardable(data) and refusal(data) is None
    assert not forwardable(query("www.example.org")[:-1])


def upstream(data: bytes, size: int = 1) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(data))
    found = [f"192.0.2.{n}" for n in range(size)]
    message.answer.append(dns.rrset.from_text_list("www.example.org.", 60, "IN", "A", found))
    return message.to_wire(max_size=65535)


def test_a_query_goes_on_under_another_id_and_its_reply_comes_back_under_its_own() -> None:
    data = query("www.example.org", edns=0)
    sent = onward(data, 0xBEEF)
    assert sent[:2] == b"\xbe\xef" and sent[2:] == data[2:]
    reply = upstream(sent)
    assert returned(data, 0xBEEF, reply) == b"\x12\x34" + reply[2:]


def test_a_reply_to_another_question_or_id_is_not_taken() -> None:
    data = query("www.example.org")
    reply = upstream(onward(data, 7))
    assert returned(data, 8, reply) is None
    assert returned(data, 7, upstream(onward(query("www.example.com"), 7))) is None
    assert returned(data, 7, upstream(onward(query("WWW.example.org"), 7))) is None, "the case is part of the secret"
    assert returned(data, 7, onward(data, 7)) is None and returned(data, 7, reply[:11]) is None
    assert returned(data, 7, reply[:4] + bytes(8)) is None, "no question, no error"
    assert returned(data, 7, reply[:3] + b"\x81" + bytes(8)) == b"\x12\x34" + reply[2:3] + b"\x81" + bytes(8)


def test_a_reply_beyond_the_room_is_cut_to_its_question() -> None:
    data = query("www.example.org")
    reply = upstream(onward(data, 7), size=100)
    cut = dns.message.from_wire(returned(data, 7, reply) or b"")
    assert cut.flags & dns.flags.TC and not cut.answer and str(cut.question[0].name) == "www.example.org."
    assert returned(data, 7, reply, room=len(reply)) == data[:2] + reply[2:]


def test_a_query_that_cannot_go_on_is_refused_or_fails() -> None:
    data = query("www.example.org", edns=0)
    refused, failed = (dns.message.from_wire(refusal(data, failed) or b"") for failed in (False, True))
    assert refused.rcode() == dns.rcode.REFUSED and failed.rcode() == dns.rcode.SERVFAIL
    assert refused.id == 0x1234 and refused.flags & dns.flags.RD and str(refused.question[0].name) == "www.example.org."
