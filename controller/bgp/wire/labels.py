"""Three bytes that are a label or a VNI, and stacks of labels (RFC 8277 section 2, RFC 8365 section 5.1.3).

::

    MPLS     20 bits of label, 3 of traffic class (0), 1 that says bottom of stack
    VXLAN    24 bits of VNI
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.bgp.routes import Encapsulation
from controller.bgp.wire.faults import WireError

__all__ = ["WITHDRAWN", "decode_label", "encode_label", "encode_stack"]

WITHDRAWN = b"\x80\0\0"
"""In place of the stack of a route that is withdrawn (RFC 8277 section 2.4); older speakers put 0."""
_BOTTOM = 1


def encode_label(label: int, encapsulation: Encapsulation) -> bytes:
    """The one label or VNI of a field. Raises WireError when it does not fit."""
    if encapsulation is Encapsulation.VXLAN:
        if not 0 <= label < 1 << 24:
            raise WireError(f"{label} is not a VNI of 24 bits")
        return label.to_bytes(3, "big")
    return _entry(label, _BOTTOM)


def decode_label(data: bytes, encapsulation: Encapsulation) -> int:
    """The label or VNI of exactly three bytes; the bits below a label mean nothing."""
    number = int.from_bytes(data, "big")
    return number if encapsulation is Encapsulation.VXLAN else number >> 4


def encode_stack(labels: Sequence[int]) -> bytes:
    """Labels, the outermost first. Raises WireError for none, and for one that does not fit."""
    if not labels:
        raise WireError("a VPN route has at least one label")
    return b"".join([*(_entry(label, 0) for label in labels[:-1]), _entry(labels[-1], _BOTTOM)])


def _entry(label: int, bottom: int) -> bytes:
    if not 0 <= label < 1 << 20:
        raise WireError(f"{label} is not a label of 20 bits")
    return (label << 4 | bottom).to_bytes(3, "big")
