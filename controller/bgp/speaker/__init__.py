"""The speaker: keeps BGP sessions and moves routes; decides nothing.

`backend.py` is the interface that the service knows; ExaBGP, as a supervised child process, is behind it.

::

    service ── exabgp.py ──── process.py ═══ socket pair ═══ child/ ── ExaBGP ── peers
                  │  └─ saying.py      routes -> whole UPDATE messages
                  ├──── events.py      what the process says -> events; UPDATE messages -> routes
                  └──── configuration.py   neighbours -> ExaBGP's text          frames.py   what is on the socket pair

Routes are bytes between here and the peers: ExaBGP holds none, so its process has 30 MB whatever the tables' size, and
every byte of a peer is judged by `controller/bgp/wire`.

Read next: exabgp.py, then child/__init__.py.
"""
