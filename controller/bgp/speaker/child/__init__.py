"""What runs in the speaker process: ExaBGP's sessions, and our own bytes over them.

ExaBGP reads the configuration, connects and accepts, exchanges OPEN messages, settles collisions. From the moment that
a session is established it is ours (session.py): UPDATE messages pass unread in both directions, so a route costs
nothing here, what a peer sends is judged by one codec (`controller/bgp/wire`, RFC 7606), and there is no table that
could answer a peer with what the service no longer wants.

    __main__.py    started by the daemon          privileges.py   what the process gives up first
    channel.py     frames from and to the daemon  commands.py     what is asked for
    session.py     an established session         grafts.py       what is replaced in ExaBGP, one by one, and why
    alone.py       when the daemon has died

ExaBGP's inner names are used, so exactly one version of it will do; `__main__.py` refuses another.
"""
