"""SSH into the daemon: the same sessions as over the unix socket, for users of the configuration.

Why it exists: operators are elsewhere, and so are the tools that drive network devices over SSH.

    listener.py        follows `ssh listen-address` and `port` of the configuration, commit by commit
      └─ server.py     asyncssh's options, one connection: limits, banner, who is let in
           ├─ ../serving/authentication.py   keys and passwords of `user NAME`
           ├─ host_keys.py        made once, in <state>/ssh
           ├─ channel.py          a session: prompt on a pty, one command, or a batch on standard input
           └─ files.py            <state>/files/<user>: what load and save name, and SFTP shows

asyncssh costs 300 ms of imports: listener.py alone is imported at start, the rest when SSH is configured, in a thread.
Nothing but sessions and files is offered: no forwarding of ports, agents or X11.

Read next: listener.py, server.py, channel.py.
"""
