"""The router's own system: load, memory, temperature; ping and traceroute. Pure: text in, NAPALM's models out."""

from __future__ import annotations

import re
from typing import Any

ENVIRONMENT = r"""
cat /proc/meminfo
echo '== cpu'; grep '^cpu[0-9]' /proc/stat; sleep 0.5; echo '== cpu'; grep '^cpu[0-9]' /proc/stat
echo '== temperature'
for zone in /sys/class/thermal/thermal_zone*; do
    [ -r "$zone/temp" ] && echo "$(cat "$zone/type") $(cat "$zone/temp")"
done
:
"""
"""Two looks at the processors' counters half a second apart, memory, and the thermal zones (thousandths of 1 °C)."""

HOT, CRITICAL = 85.0, 95.0  # °C; Linux knows no limits of zones that have no trip points

_REPLY = re.compile(r"bytes from (?:\S+ \()?([0-9A-Fa-f.:]+?)\)?: icmp_seq=\d+ ttl=\d+ time=([0-9.]+) ms")
_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) (?:packets )?received")
_ROUND_TRIPS = re.compile(r"= ([0-9.]+)/([0-9.]+)/([0-9.]+)(?:/([0-9.]+))? ms")


def environment(text: str) -> dict[str, Any]:
    """What the script above prints. Memory in bytes; `available_ram` is all there is, as NAPALM defines it."""
    memory, first, second, zones = re.split(r"^== \w+\n", text, flags=re.MULTILINE)
    sizes = {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", memory, re.MULTILINE)}
    total = sizes.get("MemTotal", 0)
    temperatures = {}
    for number, line in enumerate(zones.splitlines()):
        name, _, value = line.rpartition(" ")
        degrees = int(value) / 1000
        temperatures[f"{name or 'zone'} {number}"] = {
            "temperature": degrees,
            "is_alert": degrees >= HOT,
            "is_critical": degrees >= CRITICAL,
        }
    return {
        "fans": {},
        "temperature": temperatures,
        "power": {},
        "cpu": {number: {"%usage": usage} for number, usage in enumerate(_usage(first, second))},
        "memory": {"used_ram": total - sizes.get("MemAvailable", 0), "available_ram": total},
    }


def _usage(first: str, second: str) -> list[float]:
    """Percent each processor was busy between two looks; fields 4 and 5 are idle and waiting for disks (proc(5))."""
    usages = []
    for before, after in zip(first.splitlines(), second.splitlines(), strict=True):
        spent = [int(b) - int(a) for a, b in zip(before.split()[1:9], after.split()[1:9], strict=True)]
        total = sum(spent)
        usages.append(round(100 * (total - spent[3] - spent[4]) / total, 1) if total > 0 else 0.0)
    return usages


def ping(text: str) -> dict[str, Any]:
    """What ping prints, of iputils or busybox; {"error": …} when not even a probe was sent."""
    counted = _COUNTS.search(text)
    if counted is None:
        return {"error": text.strip() or "ping said nothing"}
    times = _ROUND_TRIPS.search(text)
    low, average, high, deviation = times.groups() if times else ("0", "0", "0", "0")
    return {
        "success": {
            "probes_sent": int(counted[1]),
            "packet_loss": int(counted[1]) - int(counted[2]),
            "rtt_min": float(low),
            "rtt_max": float(high),
            "rtt_avg": float(average),
            "rtt_stddev": float(deviation or 0),
            "results": [{"ip_address": address, "rtt": float(time)} for address, time in _REPLY.findall(text)],
        }
    }


def traceroute(text: str) -> dict[str, Any]:
    """What `traceroute -n` prints: per hop up to three probes; a probe nobody answered has addresses `*`."""
    hops: dict[int, Any] = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\d+)\s+(.*)", line)
        if found is None:
            continue
        probes: dict[int, Any] = {}
        address, words = "*", found[2].split()
        for word, following in zip(words, [*words[1:], ""], strict=True):
            silent = word == "*"
            if silent or following == "ms":
                heard = "*" if silent else address
                rtt = 0.0 if silent else float(word)
                probes[len(probes) + 1] = {"rtt": rtt, "ip_address": heard, "host_name": heard}
            elif word != "ms" and not word.startswith("!"):  # !H and the like: why a router did not pass it on
                address = word
        hops[int(found[1])] = {"probes": probes}
    return {"success": hops} if hops else {"error": text.strip() or "traceroute said nothing"}
