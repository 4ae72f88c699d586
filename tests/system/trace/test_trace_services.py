"""What trace says of the edge services is what real packets do: each question asked of both.

Real switches with real tunnels (`real_packets.py`), real ARP before each packet, every interface watched. The names of
the questions say what is shown; where a hash decides, the packet must go one of the ways that trace tells.
"""

from __future__ import annotations

from dataclasses import replace

from controller.compile import Location, State
from controller.trace import Compiled, Question, Trace, Verdict, trace
from data.addresses import address
from data.steps import at_once
from tests.system.frames import Tagged, frame_of
from tests.system.random_policies import HYPERVISORS
from tests.system.real_packets import wired
from tests.system.trace.answered import compiled, path_of, program, really

PLACES = {
    "acme/prod/web-1": Location("hv1", 1),
    "acme/prod/web-2": Location("hv1", 2),
    "acme/prod/web-3": Location("hv2", 1),
    "acme/prod/db-1": Location("hv3", 1),
    "acme/prod/fw-1": Location("hv2", 2),
    "acme/prod/out-1": Location("hv3", 2),
    "acme/prod/mon-1": Location("hv1", 4),
    "infra/svc/dns-1": Location("hv2", 3),
    "acme/lan/l-1": Location("hv1", 3),
    "acme/lan/l-2": Location("hv2", 4),
}
_PROD = "set enterprise acme domain prod"
LINES = [
    *(f"set dvrs {name} tunnel-address 172.31.0.{n}" for n, name in enumerate(HYPERVISORS, 1)),
    f"{_PROD} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64 ipv6-addressing none",
    f"{_PROD} zone db subnet db1 prefix 10.1.3.0/24 ipv6-prefix 2001:db8:3::/64 ipv6-addressing none",
    f"{_PROD} zone edge subnet edge1 prefix 10.1.2.0/24",
    f"{_PROD} zone edge subnet out1 prefix 198.51.100.0/24",
    f"{_PROD} vport web-1 subnet web1 mac 02:00:00:00:01:01 address [ 10.1.1.11 2001:db8:1::11 ]",
    f"{_PROD} vport web-2 subnet web1 mac 02:00:00:00:01:02 address [ 10.1.1.12 2001:db8:1::12 ]",
    f"{_PROD} vport web-3 subnet web1 mac 02:00:00:00:01:03 address [ 10.1.1.13 2001:db8:1::13 ]",
    f"{_PROD} vport db-1 subnet db1 mac 02:00:00:00:03:01 address [ 10.1.3.21 2001:db8:3::21 ]",
    f"{_PROD} vport db-2 subnet db1 mac 02:00:00:00:03:02 address 10.1.3.22",
    f"{_PROD} vport fw-1 subnet edge1 mac 02:00:00:00:02:01 address 10.1.2.31 anti-spoofing mac",
    f"{_PROD} vport mon-1 subnet edge1 mac 02:00:00:00:02:02 address 10.1.2.32",
    f"{_PROD} vport out-1 type host subnet out1 mac 02:00:00:00:05:01 address 198.51.100.9 anti-spoofing mac",
    f"{_PROD} egress-policy base entry 10 from zone web to zone db protocol udp destination-port 53 action deny",
    f"{_PROD} egress-policy base entry 20 action allow stateful",
    f"{_PROD} static-route 192.0.2.0/24 blackhole",
    f"{_PROD} static-route 203.0.113.0/24 next-hop [ 10.1.2.31 198.51.100.9 ] health none",
    f"{_PROD} static-route 0.0.0.0/0 next-hop 198.51.100.9 health none",
    f"{_PROD} redirection-target fw vport fw-1 health none",
    f"{_PROD} forwarding-policy chain redirect 10 from zone web protocol tcp destination-port 443 target fw",
    f"{_PROD} load-balancer shop address 10.1.9.10 port 80 health none",
    f"{_PROD} load-balancer shop backend web-3 port 8080",
    f"{_PROD} load-balancer shop backend db-1 port 8081",
    f"{_PROD} load-balancer one address 10.1.9.11 port 80 health none",
    f"{_PROD} load-balancer one backend db-1 port 8081",
    f"{_PROD} floating-ip 198.51.100.50 vport db-1",
    f"{_PROD} qos gold ingress-rate 100000 egress-rate 100000 dscp 10",
    f"{_PROD} vport web-2 qos gold",
    f"{_PROD} mirror tap vport web-3 to mon-1",
    f"{_PROD} use infra/svc",
    "set enterprise infra domain svc shared access-prefix 100.64.0.0/24",
    "set enterprise infra domain svc zone z subnet pub prefix 172.16.0.0/24",
    "set enterprise infra domain svc vport dns-1 subnet pub mac 02:00:00:00:06:01 address 172.16.0.53",
    "set enterprise acme l2-domain lan vport l-1 mac 02:00:00:00:07:01 address 192.168.7.1",
    "set enterprise acme l2-domain lan vport l-2 mac 02:00:00:00:07:02 address 192.168.7.2",
]
_LINK = "fe80::ff:fe00:"
D, A, X, N, U = Verdict.DELIVERED, Verdict.ANSWERED, Verdict.DENIED, Verdict.DROPPED, Verdict.UNRESOLVED
QUESTIONS: dict[str, tuple[str, str, dict[str, object], Verdict, str]] = {
    "same host": ("web-1", "10.1.1.12", {}, D, "web-2"),
    "another hypervisor": ("web-1", "10.1.1.13", {}, D, "web-3"),
    "routed between hypervisors": ("web-1", "10.1.3.21", {"protocol": "6", "destination_port": 22}, D, "db-1"),
    "IPv6 in a subnet": ("web-1", "2001:db8:1::12", {}, D, "web-2"),
    "IPv6 routed between hypervisors": ("web-1", "2001:db8:3::21", {}, D, "db-1"),
    "denied by an entry": ("web-1", "10.1.3.21", {"protocol": "17", "destination_port": 53}, X, ""),
    "ping of the gateway": ("web-1", "10.1.1.1", {}, A, ""),
    "ping of another subnet's gateway": ("web-1", "10.1.3.1", {}, A, ""),
    "a source that is not its own": ("web-1", "10.1.3.21", {"source_address": address("10.1.1.12")}, N, ""),
    "an address that nobody has": ("web-1", "10.1.3.99", {}, N, ""),
    "one in its own subnet": ("web-1", "10.1.1.99", {}, N, ""),
    "a vport that is nowhere": ("web-1", "10.1.3.22", {}, U, ""),
    "a black hole": ("web-1", "192.0.2.7", {}, N, ""),
    "a route to a next hop": ("web-1", "8.8.8.8", {}, D, "out-1"),
    "a route that two share": ("web-1", "203.0.113.5", {}, D, "fw-1 out-1"),
    "redirected through a service": ("web-1", "10.1.3.21", {"protocol": "6", "destination_port": 443}, D, "fw-1"),
    "a load balancer's backend": ("web-1", "10.1.9.11", {"protocol": "6", "destination_port": 80}, D, "db-1"),
    "one of two backends": ("web-1", "10.1.9.10", {"protocol": "6", "destination_port": 80}, D, "web-3 db-1"),
    "a port that nobody balances": ("web-1", "10.1.9.10", {"protocol": "6", "destination_port": 81}, N, ""),
    "a floating IP": ("out-1", "198.51.100.50", {}, D, "db-1"),
    "limited and marked": ("web-2", "10.1.3.21", {}, D, "db-1"),
    "a shared domain": ("web-1", "172.16.0.53", {"protocol": "17", "destination_port": 53}, D, "dns-1"),
    "a mirrored sender": ("web-3", "10.1.1.11", {}, D, "web-1"),
    "an l2-domain": ("acme/lan/l-1", "192.168.7.2", {}, D, "l-2"),
    "a machine's link-local address": ("web-1", f"{_LINK}103", {"source_address": address(f"{_LINK}101")}, N, ""),
    "the gateway's link-local address": (
        "web-1",
        "fe80::200:5eff:fe00:101",
        {"source_address": address(f"{_LINK}101")},
        A,
        "",
    ),
    "a link-local address of another subnet": (
        "web-1",
        f"{_LINK}301",
        {"source_address": address(f"{_LINK}101")},
        N,
        "",
    ),
    "its own address": ("web-1", "10.1.1.11", {}, N, ""),
    "the broadcast address of another subnet": ("web-1", "10.1.3.255", {}, N, ""),
    "a floating IP from inside": ("web-1", "198.51.100.50", {}, D, "db-1"),
    "nobody in an l2-domain": ("acme/lan/l-1", "192.168.7.3", {}, N, ""),
}


def places_of(state: State, told: Trace) -> tuple[list[Location], list[Location]]:
    """Where trace says that it comes out, on any way, and the answers."""
    ways = [way for way in told.ways if way.verdict is Verdict.DELIVERED]
    out = [place.location for way in ways if way.receiver and (place := state.place(way.receiver))]
    answered = [way.reply for way in ways if way.reply is not None and way.reply.verdict is Verdict.DELIVERED]
    back = [place.location for way in answered if way.receiver and (place := state.place(way.receiver))]
    if told.verdict is Verdict.ANSWERED:
        place = state.place(told.question.source)
        assert place is not None
        out = [place.location]
    return out, back


async def test_what_trace_says_of_every_service_is_what_real_packets_do() -> None:
    state, wrong = compiled(LINES, PLACES), []
    async with wired() as real:
        await program(real, state)
        for name, (sender, to, more, verdict, receivers) in QUESTIONS.items():
            question = Question(path_of(state.view, sender), address(to), reply=True, **{"protocol": None, **more})  # type: ignore[arg-type]
            told = at_once(trace(state, question, Compiled(state, question.source[:4])))
            got = sorted(way.receiver[-1] for way in told.ways if way.receiver and way.verdict is D)
            question = replace(question, protocol=question.protocol or ("58" if ":" in to else "1"))
            question = replace(question, source_port=question.source_port or 49152)
            question = replace(question, icmp_type=(128 if ":" in to else 8))
            out, back = await really(real, state, question)
            tapped = PLACES["acme/prod/mon-1"]
            copied = tapped in out
            out, back = [one for one in out if one != tapped], [one for one in back if one != tapped]
            expected, answered = places_of(state, told)
            said = [told.verdict, got] == [verdict, sorted(receivers.split())]
            agrees = set(out) <= set(expected) and bool(out) == bool(expected) and set(back) <= set(answered)
            agrees = agrees and bool(back) == bool(answered) and len(out) <= 1
            if len(told.ways) == 1:  # else it depends on which of them was gone
                agrees = agrees and copied == any(hop.copy for hop in told.hops)
            if not said or not agrees:
                hops = "\n".join(f"    {hop.dvrs} {hop.table} {hop.words}" for way in told.ways for hop in way.hops)
                replied = [(way.reply.verdict, way.reply.reason) for way in told.ways if way.reply]
                wrong.append(
                    f"{name}: {told.packet}: {told.verdict} {told.reason} {got} {replied}; came out at {out},"
                    f" answered at {back}, and not {expected} {answered}\n{hops}"
                )
    assert not wrong, "\n\n".join(wrong)


MANY = (
    ("acme/prod/web-1", "10.1.1.11", "10.1.1.255", "ffffffffffff"),
    ("acme/prod/web-1", "10.1.1.11", "255.255.255.255", "ffffffffffff"),
    ("acme/prod/web-2", "10.1.1.12", "224.0.0.251", "01005e0000fb"),
    ("acme/prod/web-3", "10.1.1.13", "239.129.2.3", "01005e010203"),
    ("acme/prod/web-1", "2001:db8:1::11", "ff02::fb", "3333000000fb"),
    ("acme/prod/db-1", "2001:db8:3::21", "ff02::1:ff00:77", "3333ff000077"),
    ("acme/lan/l-1", "192.168.7.1", "255.255.255.255", "ffffffffffff"),
)


async def test_what_is_sent_to_many_comes_to_all_that_trace_names() -> None:
    state = compiled(LINES, PLACES)
    named = {place: name.rpartition("/")[2] for name, place in PLACES.items()}
    async with wired() as real:
        await program(real, state)
        for port in (5353, 53):
            for tag, (sender, own, to, hardware) in enumerate(MANY):
                source = path_of(state.view, sender)
                question = Question(source, address(to), address(own), "17", 5353, port)
                told = at_once(trace(state, question, Compiled(state, source[:4])))
                hops = [hop for hop in told.hops if hop.table == "deliver" and not hop.copy]
                said = {hop.words.removeprefix("out to ") for hop in hops if hop.words.startswith("out to ")}
                frame = frame_of(state, source, question, bytes.fromhex(hardware), tag)
                came = Tagged(await real.send([(PLACES[sender], frame)])).places(tag)
                assert {named[one] for one in came} - {"mon-1"} == said - {"mon-1"}, f"{told.packet}: {told.reason}"
                assert told.verdict is (D if said else N), told.reason
                assert said or sender.endswith("db-1")
