r"""The program: entry point, daemon, operator sessions and their transports.

Why it exists: an operator, a script and a dashboard must all reach the same session, and a one-line command
must not pay for anything it does not use.

    nshell -c "show version"                        nshell serve (serve.py)
      main.py -> client.py --unix socket, frames.py--> service.py -> session.py -> commands/ -> controller/, data/
                  |                             ssh/ ----^   |          \-> views/ -> text or JSON
                  \- daemon.py starts the daemon             \- terminal.py (prompt_toolkit, interactive sessions alone)
                     when none answers

Read next: client.py (what a person runs), serve.py (the daemon's process), service.py (what answers), session.py (what
a session is); doctor/ (what a machine lacks), places.py (where everything lives).
This module must stay free of imports: the client loads it on every command.
"""

__version__ = "0.1.0"
