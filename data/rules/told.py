"""Thresholds and syslog servers: what is looked at is measured, and a certificate is checked where there is TLS."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.seen import MEASURED, MEASURES, SyslogServer, Threshold

ALL = frozenset(name for name, _ in MEASURES)
COUNTED: dict[str, frozenset[str]] = {
    "rule": frozenset({"gets", "gets-packets"}),
    "tunnel": frozenset({"sends", "sends-packets"}),
    "bgp-neighbor": frozenset({"sends-packets", "gets-packets"}),
    "pe": ALL - {"dropped"},
}
"""What is measured of those that have not everything: a rule is got what it matches, a neighbor messages."""


@rule(Threshold)
def thresholds_are_of_what_is_measured(check: Check, path: Path, item: Threshold) -> Iterator[Problem]:
    measured = COUNTED.get(item.of, ALL)
    if item.of in dict(MEASURED) and item.measure in ALL and item.measure not in measured:
        known = ", ".join(name for name, _ in MEASURES if name in measured)
        yield problem(path, "measure", f"{item.measure} is not measured of a {item.of}", f"choose one of: {known}")


@rule(SyslogServer)
def certificates_are_for_tls(check: Check, path: Path, item: SyslogServer) -> Iterator[Problem]:
    if item.certificate is not None and item.protocol != "tls":
        cause = f"over {item.protocol} no certificate is checked"
        yield problem(path, "certificate", cause, "set protocol tls, or delete it")


@rule(SyslogServer)
def servers_are_not_told_twice(check: Check, path: Path, item: SyslogServer) -> Iterator[Problem]:
    for other, one in check.view.objects(SyslogServer):
        if other == path or check.said_there(path, other):
            continue
        if (one.address, one.port, one.protocol) == (item.address, item.port, item.protocol) and item.address:
            yield problem(path, "address", f"{path[-2]} {other[-1]} is the same server", "delete one of the two")
