"""The daemon: its process, its settings and logs, who may connect, and the service that makes everybody's sessions.

    serve.py      the process: owns the state directory, opens the store, runs the fabric, listens, ends
    settings.py   nshell.conf        logs.py   text, JSON, journal        notify.py   what systemd is told
    service.py    makes sessions, runs them, ends them
    transport.py  what a session needs of its other end    link.py   that of the unix socket
    users.py, admission.py    who is there, and who may come
    authentication.py    keys and passwords, of SSH and the web     throttle.py, turns.py    guesses wait
    listening.py  where those from elsewhere dial in, moved by commits: SSH (../ssh), HTTPS (../web)

Read next: service.py.
"""
