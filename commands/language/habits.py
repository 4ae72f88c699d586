"""What people of other platforms type out of habit, and what to type here: the remedy of an error, never a command.

A line that was not understood is looked up by its first words, which may be shortened; what stands behind them does not
matter and is not repeated (it may hold a secret). In configure mode a line that would be an operational command is
sent to `run`.
"""

from __future__ import annotations

from collections.abc import Sequence

from commands.language.lexer import Word
from commands.language.registry import NOT_BEHIND_RUN, Mode, automaton

SESSIONS = "'show sessions' says who is connected, and who configures"
VERSION = "'show version' says what runs here, and for how long"
COMMITS = "'show system commit' lists revisions, 'show configuration revision N' shows one"
EVENTS = "'show events' says what happened in the network, 'show audit' who typed what"
COMMITTED = "'commit' keeps the configuration for good; there is nothing else to save"
ROUTES = "'show routes enterprise E domain D' for one domain, 'show bgp routes' for what BGP told"
NEIGHBORS = "'show bgp received NEIGHBOR' has what it told, 'show bgp advertised NEIGHBOR' what it is told"
RESET = "'request bgp-neighbor NAME reset' begins a session anew"
STATISTICS = "'show statistics vports' says what passes, 'show statistics ?' what else is counted"
EXPORT = "'show flow-export' has IPFIX collectors, 'show flows top' the busiest flows now"
COUNTERS = "'clear statistics' counts from now on; 'show statistics vports since 5m' has what was counted in a time"
SERVICE = "nshell is a service of its host: 'systemctl restart nshell' there; forwarding goes on meanwhile"

OPERATIONAL = {
    "admin": "'configure' changes the configuration, 'show system commit' lists revisions",
    "bye": "'exit' ends the session",
    "clear bgp": RESET,
    "clear counters": COUNTERS,
    "clear ip bgp": RESET,
    "configure terminal": "'configure'",
    "copy": COMMITTED,
    "debug": "'monitor events' shows what happens, 'trace from VPORT to ADDRESS' where a packet goes",
    "enable": "there is no such step: your class decides what you may do, 'configure' changes the configuration",
    "end": "'exit' ends the session",
    "file": "files are at your end: '| save FILE' behind a command; 'save' and 'load' in configure mode",
    "history": "the up key and ctrl-r have your lines, 'show audit' everybody's",
    "info": "'show configuration'",
    "logout": "'exit' ends the session",
    "monitor interface": "'monitor statistics vports'",
    "monitor traffic": "'monitor statistics vports' for rates, 'trace from VPORT to ADDRESS' for where a packet goes",
    "packet-tracer": "'trace from VPORT to ADDRESS' says where a packet goes",
    "reload": SERVICE,
    "request system halt": SERVICE,
    "request system reboot": SERVICE,
    "restart": SERVICE,
    "show access-lists": "'show policies counters'",
    "show alarms": EVENTS,
    "show bfd": "'show bgp neighbors' has the BFD session of each",
    "show bgp evpn": "'show bgp routes family evpn'",
    "show bgp group": "'show bgp summary'",
    "show bgp ipv4": "'show bgp routes family vpnv4'",
    "show bgp ipv6": "'show bgp routes family vpnv6'",
    "show bgp l2vpn": "'show bgp routes family evpn'",
    "show bgp vpnv4": "'show bgp routes family vpnv4'",
    "show bgp vpnv6": "'show bgp routes family vpnv6'",
    "show chassis": VERSION,
    "show cli": "'show terminal'",
    "show counters": STATISTICS,
    "show ethernet-switching": "'show mac'",
    "show evpn": "'show bgp routes family evpn' has what was told, 'show mac' where MAC addresses are",
    "show firewall": "'show policies counters'",
    "show history": "the up key and ctrl-r have your lines, 'show audit' everybody's",
    "show hypervisors": "'show dvrs'",
    "show interfaces": "'show vports' lists virtual ports, 'show topology' what hangs where",
    "show ip bgp": "'show bgp summary', 'show bgp routes'",
    "show ip flow": EXPORT,
    "show ip route": ROUTES,
    "show isis": "'show underlay listeners', 'show underlay topology'",
    "show log": EVENTS,
    "show logging": EVENTS,
    "show mac-address-table": "'show mac'",
    "show mpls": "'show circuits' has the labels each way",
    "show netflow": EXPORT,
    "show ospf": "'show underlay listeners', 'show underlay topology'",
    "show route advertising-protocol": NEIGHBORS,
    "show route receive-protocol": NEIGHBORS,
    "show router": "'show routes enterprise E domain D'",
    "show running-config": "'show configuration'",
    "show security": "'show policies counters'",
    "show sflow": EXPORT,
    "show snmp": "there is none; 'set web metrics-token' opens /metrics for a Prometheus",
    "show startup-config": "'show configuration': what was committed is what the next start has",
    "show system alarms": EVENTS,
    "show system information": VERSION,
    "show system rollback": COMMITS,
    "show system uptime": VERSION,
    "show system users": SESSIONS,
    "show telemetry": "'show statistics vports' says what passes, 'show statistics storage' what is kept",
    "show tenants": "'show enterprises'",
    "show users": SESSIONS,
    "show vrf": "'show domains' lists them, 'show routes enterprise E domain D' has the routes of one",
    "show vxlan": "'show topology' has the tunnel addresses, 'show subnets' the VNIs",
    "start": "there is no shell behind this one; 'tools dvrs NAME ...' asks a hypervisor's switch",
    "terminal monitor": "'monitor events'",
    "traceroute": "'trace from VPORT to ADDRESS' says where a packet goes",
    "who": SESSIONS,
    "write": COMMITTED,
}
BEYOND = {"show bgp neighbors": NEIGHBORS}
"""Commands of ours behind which others take more words than we do."""
CONFIGURING = {
    "abort": "'quit' leaves configure mode and keeps your candidate, 'discard' drops it",
    "back": "'up' goes one place up",
    "commit force": "'commit' needs no force: what is away gets the change when it returns",
    "commit synchronize": "'commit' alone: all hypervisors or none",
    "diff": "'compare'",
    "do": "'run COMMAND'",
    "end": "'quit' leaves configure mode",
    "exit all": "'quit' leaves configure mode",
    "info": "'show' has your candidate, 'compare' what it changes",
    "insert": "entries are in the order of their numbers: 'rename ... entry 20 to 15'",
    "no": "'delete PLACE'",
    "pwc": "the edit level stands above the prompt",
    "replace": "'rename PLACE to NAME' takes along what refers to it",
    "revert": "'discard' drops your edits, 'rollback N' goes back N commits",
    "status": "'run show sessions' says who is connected, and who configures",
    "unset": "'delete PLACE'",
    "validate": "'commit check'",
    "wildcard": "'delete' takes one place at a time",
    "write": COMMITTED,
}
SHORTEST = 2
"""Letters that may stand for the first word of these tables; for others one does, as in `conf t`."""


def advice(mode: Mode, words: Sequence[Word]) -> str:
    """What to type instead; "" when nothing is known of such a line."""
    found = found_for(mode, [word.text for word in words])
    alone = found.startswith("'") and found.find("'", 1) == len(found) - 1
    return f"here it is {found}" if alone else found


def found_for(mode: Mode, typed: Sequence[str]) -> str:
    """The entry for a line of this mode; "" when there is none."""
    if mode is Mode.OPERATIONAL:
        return looked_up(OPERATIONAL, typed, mode) or looked_up(BEYOND, typed, mode)
    if mode is not Mode.CONFIGURE:
        return ""
    if typed[:1] == ["run"]:
        return found_for(Mode.OPERATIONAL, typed[1:])
    found = looked_up(CONFIGURING, typed, mode) or operational(typed)
    if found or (typed and typed[0] in automaton(mode).root.words):
        return found
    return looked_up(OPERATIONAL, typed, mode)


def looked_up(table: dict[str, str], typed: Sequence[str], mode: Mode) -> str:
    """The entry that the line begins with, the longest first. A command of the mode is no beginning of another's word:
    `trace` is not short for `traceroute`, and its error says itself what could have stood there."""
    meant = commands_meant(typed[0], mode) if typed else []
    for key in sorted(table, key=lambda key: -len(key.split())):
        parts = key.split()
        if len(typed) < len(parts) or len(typed[0]) < SHORTEST or not all(map(begins, typed, parts)):
            continue
        if len(meant) != 1 or meant == parts[:1]:
            return table[key]
    return ""


def commands_meant(typed: str, mode: Mode) -> list[str]:
    """First words of the mode that this one is, or may be short for."""
    own = automaton(mode).root.words
    return [typed] if typed in own else [word for word in own if word.startswith(typed)]


def begins(typed: str, word: str) -> bool:
    """Whether the word was typed, or a part of it."""
    return bool(typed) and word.startswith(typed)


def operational(typed: Sequence[str]) -> str:
    """Where the line would be understood in operational mode."""
    known = automaton(Mode.OPERATIONAL).root.words
    first = typed[0] if typed else ""
    if first == "show":
        state = automaton(Mode.OPERATIONAL).root.after(known[first])
        second = typed[1] if len(typed) > 1 else ""
        if second in state.words:
            return f"'run show {second}' is the operational command"
        found = looked_up(OPERATIONAL, typed, Mode.OPERATIONAL) if second else ""
        return f"{found} (in configure mode behind 'run')" if found else ""
    if first in known and first not in NOT_BEHIND_RUN:
        return f"'{first}' is an operational command: 'run {first} ...'"
    return ""
