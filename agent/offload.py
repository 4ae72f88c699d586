"""Turning a network interface's offloads off, by the ethtool ioctl.

A virtual machine on a veth leaves TCP checksums and segmentation to "hardware" that a userspace datapath does
not have: its TCP would never connect.  The ioctl (SIOCETHTOOL, linux/ethtool.h) spares the ethtool program.
"""

import array
import errno
import fcntl
import socket
import struct

from data.errors import CommandFailed

SIOCETHTOOL = 0x8946
SET_COMMANDS = {
    "tx-checksum": 0x17,  # ETHTOOL_STXCSUM
    "tcp-segmentation": 0x1F,  # ETHTOOL_STSO
    "generic-segmentation": 0x24,  # ETHTOOL_SGSO
}


def switch_off(interface: str) -> None:
    """Turn transmit checksums and segmentation off on an interface of the calling thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for feature, command in SET_COMMANDS.items():
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(handle, SIOCETHTOOL, request)
            except OSError as problem:
                if problem.errno == errno.EOPNOTSUPP:
                    continue  # the driver has no such offload, so there is nothing to turn off
                raise CommandFailed(
                    interface,
                    f"cannot turn {feature} offload off: {problem.strerror}",
                    "run it as root, on an interface that exists",
                ) from None
