"""The `nshell` command: looks at the first word and loads only what that word needs.

Anything but `serve`, `agent`, `lab` and `doctor` is the thin client (client.py), which must start in tens of
milliseconds.
"""

import sys


def main() -> int:
    """Entry point of the console script; returns the exit code."""
    arguments = sys.argv[1:]
    program = arguments[0] if arguments else ""
    if program == "serve":
        from nshell.serving.serve import main as serve

        return serve(arguments[1:])
    if program == "agent":
        from agent.main import main as agent

        return agent(arguments[1:])
    if program == "lab":
        from nshell.lab.main import main as lab

        return lab(arguments[1:])
    if program == "doctor":
        from nshell.doctor.main import main as doctor

        return doctor(arguments[1:])
    from nshell.client import main as client

    return client(arguments)


if __name__ == "__main__":
    sys.exit(main())
