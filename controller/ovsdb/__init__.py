"""OVSDB towards the hypervisors: their ovsdb-server dials in, the controller mirrors a few tables and sets up
its bridge.

JSON-RPC 1.0 over TCP as RFC 7047 has it: no framing, requests both ways. python-ovs's IDL cannot accept
connections, and what is needed here is small: one monitor, one transaction, echo.

Read next::

    connection.py  Hypervisor: one connection, call, transact, the mirror
    model.py       Tables: the mirrored tables as dictionaries, and the view of a bridge's interfaces
    setup.py       BridgeSetup: what our bridge must look like, and the one transaction that makes it so
    server.py      OvsdbServer: listener, limits, handshake
"""
