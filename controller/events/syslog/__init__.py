"""Syslog: events told to the servers that `syslog-server NAME` configures.

Why it exists: an operator has one place where all machines tell what happens, and alarms are made there.

    Events.watch ──> exporter.py ──severity──> queue (bounded) ──> one task per server ──> transport.py: udp, tcp, tls
                     follows commits           loss is counted       back-off                 message.py: RFC 5424

Nothing is told twice, and what cannot be told is counted. Over UDP nobody knows what arrived; over TCP and TLS what was
handed to a connection that then breaks may be lost uncounted, because syslog has no acknowledgements (RFC 6587, 3.1).

Read next: exporter.py.
"""
