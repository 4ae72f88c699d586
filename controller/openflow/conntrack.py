"""Having the connection tracker forget connections by where they were to and where they went (NXT_CT_FLUSH).

Open vSwitch knows the message from 3.1 on (``nx_ct_flush`` of include/openflow/nicira-ext.h).
"""

from __future__ import annotations

import struct

from controller.openflow import wire
from data.addresses import Ip

__all__ = ["forget"]

_FLUSH = 32  # NXT_CT_FLUSH
_ORIGINAL, _REPLY = 0, 1  # nx_ct_flush_ct_tlv_type: the tuples of the two directions
_SOURCE, _DESTINATION, _SOURCE_PORT, _DESTINATION_PORT = 0, 1, 2, 3  # nx_ct_flush_tuple_tlv_type


def forget(protocol: int, to: Ip, port: int, by: Ip, by_port: int) -> bytes:
    """The message that ends all connections, of every zone, that were begun to one address and port and are answered
    from another.
    """
    begun = _tuple(_ORIGINAL, _DESTINATION, to, _DESTINATION_PORT, port)
    answered = _tuple(_REPLY, _SOURCE, by, _SOURCE_PORT, by_port)
    body = struct.pack("!IIB7x", wire.NICIRA, _FLUSH, protocol) + begun + answered
    return wire.message(wire.EXPERIMENTER, 0, body)


def _tuple(kind: int, address_kind: int, ip: Ip, port_kind: int, port: int) -> bytes:
    """One end of a direction; IPv4 addresses are mapped into IPv6 (RFC 4291 section 2.5.5.2)."""
    packed = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    parts = struct.pack("!HH16s4xHHH2x", address_kind, 20, packed, port_kind, 8, port)
    return struct.pack("!HH4x", kind, 8 + len(parts)) + parts
