"""What the entries of every kind of policy say about packets: each leaf declared once."""

from __future__ import annotations

from data.schema.declaration import Leaf
from data.schema.endpoint import ENDPOINT
from data.schema.types import PORTS, PROTOCOL, integer

__all__ = ["DESTINATION_PORT", "FROM", "POLICY_PRIORITY", "SOURCE_PORT", "TO", "TRANSPORT"]

FROM = Leaf("where the packet comes from", ENDPOINT)
TO = Leaf("where the packet goes", ENDPOINT)
TRANSPORT = Leaf("IP protocol", PROTOCOL, default_text="any")
SOURCE_PORT = Leaf("source ports (tcp, udp, sctp)", PORTS, default_text="any")
DESTINATION_PORT = Leaf("destination ports (tcp, udp, sctp)", PORTS, default_text="any")
POLICY_PRIORITY = Leaf(
    "order among the policies, lower is looked at first", integer(0, 65535, "lower is looked at first")
)
