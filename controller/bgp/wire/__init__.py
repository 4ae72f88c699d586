"""Bytes of BGP to the words of `routes.py` and back (RFC 4271, 4760, 4364, 4659, 7432, 8277, 8365, 9136). Pure: nothing
here waits, reads a clock or knows a session.

::

    families.py    AFI and SAFI, next hops as they stand in MP_REACH_NLRI (RFC 4760 section 3)
    evpn.py        EVPN NLRI, types 1 to 5              prefixes.py    VPNv4/6 and unicast NLRI
    nlri.py        any family's NLRI, one or a field full of them
    attributes.py  what the values of path attributes say, encoded      reading.py  and decoded (RFC 7606 section 7)
    paths.py       AS_PATH and AS4_PATH (RFC 6793)
    messages.py    routes -> UPDATE messages            update.py      the body of an UPDATE -> routes
    faults.py      what may be wrong: values, each with a reason in words

For a speaker that is told text and hexadecimal::

    encode_nlri(nlri, Encapsulation.VXLAN, withdrawal=False) -> bytes     one NLRI, with its length octet
    NUMBERS[family] -> (afi, safi)
    encode_next_hop(family, ip) -> bytes                  the "network address of next hop" of MP_REACH_NLRI
    encode_attributes(attributes, as4=True) -> tuple[Attribute, ...]      Attribute(flags, type, value); without the
                                                          next hop, which is NEXT_HOP or in MP_REACH_NLRI
    encode_attribute(Attribute) -> bytes                  flags, type, length, value

For one that takes whole messages (marker and all)::

    encode_updates(routes, size=4096) -> list[bytes]      grouped by attributes, packed; size 65535 with RFC 8654
    encode_withdrawals(nlri, size=4096) -> list[bytes]
    end_of_rib(family) -> bytes                           RFC 4724 section 2

What comes back; one Decoder for each session, because it remembers attributes (bounded)::

    decoder = Decoder(internal=True, as4=True, encapsulation=Encapsulation.VXLAN)
    decoder.update(body) -> Update(announced, withdrawn, faults, end_of_rib)      never raises for what a peer sent
    decode_update(body, internal=..., as4=..., encapsulation=...) -> Update       the same without memory
    update_body(message) -> bytes                         the body of a whole message; raises WireError
    decode_nlri(family, data, encapsulation, withdrawal=False) -> tuple[Nlri, ...]    raises WireError

`internal` is whether the peer has our autonomous system: from others LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are
discarded. `encapsulation` is of EVPN routes whose encapsulation community is absent (RFC 8365 section 5.1.3: MPLS "or
statically configured"): with VXLAN their labels are 24-bit VNIs, otherwise 20-bit labels.

A Fault is (action, reason, nlri): action DISCARD (an attribute, or an NLRI of a type that nobody knows, was left out),
WITHDRAW (the `nlri` are among `withdrawn`), RESET (nothing can be said about the message; the session must go: the
only one after which the peer's routes are unknown). WireError is a ValueError: encoders raise it, naming what cannot
be said.

Read next: update.py for what comes in, messages.py for what goes out.
"""

from controller.bgp.wire.attributes import Attribute, encode_attribute, encode_attributes
from controller.bgp.wire.families import NUMBERS, decode_next_hop, encode_next_hop
from controller.bgp.wire.faults import Action, Fault, WireError
from controller.bgp.wire.messages import encode_updates, encode_withdrawals, end_of_rib, update_body
from controller.bgp.wire.nlri import decode_nlri, encode_nlri
from controller.bgp.wire.update import Decoder, Update, decode_update

__all__ = [
    "NUMBERS",
    "Action",
    "Attribute",
    "Decoder",
    "Fault",
    "Update",
    "WireError",
    "decode_next_hop",
    "decode_nlri",
    "decode_update",
    "encode_attribute",
    "encode_attributes",
    "encode_next_hop",
    "encode_nlri",
    "encode_updates",
    "encode_withdrawals",
    "end_of_rib",
    "update_body",
]
