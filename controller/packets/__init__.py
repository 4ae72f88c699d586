"""Packets of the protocols that the controller answers or speaks itself, as pure functions: bytes in, bytes or
dataclasses out. Nothing here waits, reads a clock or knows of the network; handlers hand in what they know.

::

    packet-in ──> frame.parse ──┬── dhcp.reply      dhcp6.reply      neighbour.*      dns.answer ──> packet-out
                                └── probe.answer                     headers.* builds what goes out

Every decoder takes any bytes and returns None for what is malformed, cut off or of another protocol: a vport's owner
can send whatever it likes. MAC addresses are texts of the form 02:00:00:00:00:01, IP addresses `data.addresses.Ip`.
Checksums of TCP and UDP are not verified: with checksum offload a guest's packets leave its interface without one,
and a packet-in shows them like that.

Why codecs of our own: os-ken's parsers return whatever fits and raise whatever happens on what does not, and importing
them costs 100 ms; the formats here are a few structs. DNS with its name compression, EDNS and error cases is not:
dns.py uses dnspython.

Read next: frame.py, headers.py, then the protocol you came for.
"""
