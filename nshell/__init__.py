r"""The program: entry point, daemon, operator sessions and their transports.

Why it exists: an operator, a script and a dashboard must all reach the same session, and a one-line command
must not pay for anything it does not use.

    nshell -c "show version"                        nshell serve
      main.py -> client.py --unix socket, frames.py--> service.py -> session.py -> commands/ -> controller/, data/
                  |                                      |              \-> views/ -> text or JSON
                  \- daemon.py starts the daemon         \- terminal.py (prompt_toolkit, interactive sessions alone)
                     when none answers

Read next: client.py (what a person runs), service.py (what answers), session.py (what a session is).
This module must stay free of imports: the client loads it on every command.
"""

__version__ = "0.1.0"
