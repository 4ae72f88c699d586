r"""The program: entry point, daemon, operator sessions and their transports.

Why it exists: an operator, a script and a dashboard must all reach the same session, and a one-line command
must not pay for anything it does not use.

    nshell -c "show version"                        nshell serve (serve.py)
      main.py -> client.py --unix socket, frames.py--> service.py -> session.py -> commands/ -> controller/, data/
                  |                             ssh/ ----^   |          \-> views/ -> text or JSON
                  \- daemon.py starts the daemon             \- terminal.py (prompt_toolkit, interactive sessions alone)
                     when none answers

    client.py, raw.py, frames.py, daemon.py, places.py   the client: standard library alone
    serving/    the daemon's process, and the service that makes sessions     ssh/       the same for operators over SSH
    sessions/   how a line is run, for whom, and what is kept of it           web/       HTTPS: dashboards, /metrics
    terminal/   the prompt of a person, dashboards on the whole of it         doctor/    what a machine lacks
    lab/        hypervisors and machines on this machine

Read next: client.py, serving/service.py, sessions/session.py.
This module must stay free of imports: the client loads it on every command.
"""

__version__ = "0.1.0"
