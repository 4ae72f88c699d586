"""What happened in the network: facts for people, in order, with how bad they are and what they are about.

Why it exists: whoever runs a network asks "what happened?" first. Everything that happens is one structured event,
whoever tells it: a list in memory for dashboards and `monitor events`, a database for `show events`, syslog for others.

    parts of the controller ── add(kind, text, about, dvrs, facts) ──> Events ──> memory (LIMIT), the log
                                                                          │ watch
                             monitor, dashboards <────────────────────────┼──> kept.py    events.db, bounded
                                                                          └──> syslog/    servers, RFC 5424

    Telemetry.watch ──> thresholds.py, denials.py ──> events about what counters say

Events are not a message bus: nothing in the controller reacts to one.

Read next: event.py (what an event is), recent.py (how it is told), selection.py (which of them somebody wants).
"""

from controller.events.event import Event, Fact, Kind, Severity
from controller.events.recent import LIMIT, Events
from controller.events.selection import Selection

__all__ = ["LIMIT", "Event", "Events", "Fact", "Kind", "Selection", "Severity"]
