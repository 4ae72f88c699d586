"""Configurations for the tests of data/: the one of the README, and arbitrary ones drawn from the schema itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

from data.candidate import Candidate
from data.configuration import Configuration, Running
from data.path import Path
from data.schema.completion import nameable
from data.schema.nodes import TOP, LeafNode, Node
from data.schema.objects import Object
from data.schema.secret import hashed
from data.schema.tokens import split
from data.schema.types import ValueType

ACME = """\
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set enterprise acme network-macro wan prefix 192.0.2.0/24
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise acme domain prod policy-group frontends
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group frontends
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise acme domain prod vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set enterprise acme domain prod ingress-policy base entry 10 from policy-group frontends to zone app protocol tcp \
destination-port 8443 action allow stateful
"""
PROD = ("enterprise", "acme", "domain", "prod")
WEB_1 = (*PROD, "vport", "web-1")


def running(text: str = ACME) -> Running:
    """A committed configuration of these lines."""
    state = Running()
    candidate = Candidate(state, "ops")
    candidate.apply_batch(text.splitlines(), "example")
    state.apply(candidate.merge(), 1)
    return state


def edited(state: Running, *lines: str) -> Candidate:
    """A candidate over the state with these lines applied."""
    candidate = Candidate(state, "ops")
    candidate.apply_batch(lines, "test")
    return candidate


def objects(view: Configuration) -> dict[Path, Object]:
    return dict(view.walk())


def without_uuids(view: Configuration | Mapping[Path, Object]) -> dict[Path, tuple[object, ...]]:
    """The leaves of every object: what set lines, hierarchies and JSON carry, which is anything but secrets."""
    items = view.walk() if isinstance(view, Configuration) else view.items()
    # A container without a name, of which only a secret is set, is written nowhere.
    return {
        path: _told(item) for path, item in items if len(path) % 2 == 0 or _told(item) != _told(type(item)(uuid=""))
    }


def _told(item: Object) -> tuple[object, ...]:
    told = (field for field in item.__struct_fields__ if field not in ("uuid", "password", "metrics_token"))
    return tuple(getattr(item, field) for field in told)


_names = st.sampled_from(["a", "b1", "web-2", "web-10", "x.y", "A_b", "007", "vport", "domain", "set"])
_text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20).filter(
    str.isprintable
)
annotations = _text.filter(lambda text: "*/" not in text)
_number = st.integers(0, 255)
_address = st.builds("10.{}.{}.{}".format, _number, _number, _number)
_address_6 = st.builds("2001:db8:{:x}::{:x}".format, _number, st.integers(1, 0xFFFF))
_prefix = st.builds("10.{}.0.0/{}".format, _number, st.integers(16, 32)) | st.builds(
    "2001:db8:{:x}::/{}".format, _number, st.integers(48, 128)
)
_ports = st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda pair: f"{min(pair)}-{max(pair)}")
_pairs = st.builds("65000:{}".format, st.integers(0, 0xFFFFFFFF)) | st.sampled_from(["192.0.2.1:7", "4200000000:7"])
_HASHES = [hashed(f"correct horse {number}") for number in range(3)]
_BLOBS = [b"\0\0\0\x0bssh-ed25519" + bytes([number] * 36) for number in range(3)]
_KEYS = [f"ssh-ed25519 {b64encode(blob).decode()} ops@host" for blob in _BLOBS]
_words = {
    "password": st.sampled_from(_HASHES),
    "ssh-key": st.sampled_from(_KEYS),
    "name": _names,
    "text": _text,
    "host-name": st.sampled_from(["nsh1", "a.b-c.example"]),
    "address": _address | _address_6,
    "ipv4-address": _address,
    "ipv6-address": _address_6,
    "server-address": _address | _address_6 | st.sampled_from(["127.0.0.1", "::1"]),
    "listen-address": _address | st.sampled_from(["::", "0.0.0.0", "2001:db8::1"]),
    "prefix": _prefix,
    "subnet-prefix": st.builds("10.{}.0.0/{}".format, _number, st.integers(16, 30)),
    "ipv6-subnet-prefix": st.builds("2001:db8:{:x}::/{}".format, _number, st.integers(48, 126)),
    "domain-name": st.builds("{}/{}".format, _names, _names),
    "mac": st.builds("02:00:00:00:{:02x}:{:02x}".format, _number, _number),
    "ports": _ports | st.integers(1, 65535).map(str),
    "key": st.sampled_from(["s3cret-of-both", "an0ther~key"]),
    "interface": st.sampled_from(["eth1", "ge-0/0/1.100", "Ethernet3"]),
    "as-number": st.sampled_from(["1", "65000", "4200000000"]),
    "route-distinguisher": _pairs,
    "route-target": _pairs,
    "protocol": st.sampled_from(["tcp", "udp", "icmp", "icmpv6", "sctp", "6", "47", "0"]),
}


def _value(leaf: LeafNode, path: Path) -> st.SearchStrategy[list[str]]:
    """Words of one value of the leaf of an object."""
    if leaf.flag:
        return st.just([])
    if leaf.endpoint:
        named = ["vport", "policy-group", "zone", "subnet", "network-macro"]
        kinds = st.sampled_from([kind for kind in named if nameable(path, kind)])
        return st.just(["any"]) | st.tuples(kinds, _names).map(list)
    if leaf.type.name == "choice":
        return st.sampled_from([[word] for word, _ in leaf.type.choices])
    if leaf.type.name == "integer":
        low, high = leaf.type.hint.strip("<>").split("-")
        return st.integers(int(low), int(high)).map(lambda number: [str(number)])
    return _words[leaf.type.name].map(lambda word: [word])


def _key(key: ValueType) -> st.SearchStrategy[str]:
    return st.integers(1, 254).map(str) if key.name == "number" else _words[key.name]


_KINDS = 5  # children of an object that one example draws: all of them, at every level, would be thousands


@st.composite
def _lines(draw: st.DrawFn, nodes: dict[str, Node], above: tuple[str, ...], most: int) -> list[list[str]]:
    """Words of set commands for objects of these nodes and everything below them."""
    lines: list[list[str]] = []
    some = draw(st.lists(st.sampled_from(list(nodes)), max_size=_KINDS, unique=True)) if nodes else []
    for keyword, node in ((keyword, nodes[keyword]) for keyword in some):
        for _ in range(draw(st.integers(0, most))):
            name = [] if node.key is None else [draw(_key(node.key))]
            path = (*above, keyword, *name)
            words = list(path)
            for leaf in draw(st.lists(st.sampled_from(list(node.leaves.values())), max_size=4, unique=True)):
                for value in draw(st.lists(_value(leaf, path), min_size=1, max_size=3 if leaf.many else 1)):
                    words += [leaf.keyword, *value]
            if node.key is not None or len(words) > len(path):
                lines.append(words)
            lines += draw(_lines(node.children, path, most))
    return lines


any_lines = _lines(TOP, (), 2)
"""Words of set commands, in arbitrary number; the configuration need not pass the rules."""


def apply(candidate: Candidate, lines: Iterable[list[str]]) -> None:
    """Set each of the commands; of a name drawn twice the last value counts."""
    for words in lines:
        candidate.set(words)


@st.composite
def any_configuration(draw: st.DrawFn) -> Running:
    """A configuration of arbitrary objects, some of them annotated or inactive."""
    state = Running()
    candidate = Candidate(state, "ops")
    apply(candidate, draw(any_lines))
    paths = [path for path, _ in candidate.view.walk()]
    some = st.lists(st.sampled_from(paths), max_size=4, unique=True) if paths else st.just([])
    for path in draw(some):
        candidate.annotate(list(path), draw(annotations))
    for path in draw(some):
        candidate.deactivate(list(path))
    state.apply(candidate.edits(), 1)
    return state


def words(line: str) -> list[str]:
    return split(line)
