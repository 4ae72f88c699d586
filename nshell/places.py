"""Where the daemon keeps its state and its socket. The client imports this on its hot path: `os` alone."""

import os

SOCKET = "nshell.sock"
LOG = "nshell.log"


def state_directory(option: str = "") -> str:
    """The absolute state directory: --state, else $NSHELL_STATE, else the system's or the user's own place."""
    chosen = option or os.environ.get("NSHELL_STATE", "")
    if not chosen:
        if os.geteuid() == 0:
            chosen = "/var/lib/nshell"
        else:
            home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
            chosen = os.path.join(home, "nshell")
    return os.path.abspath(chosen)


def socket_path(state: str) -> str:
    """The unix socket of the daemon that serves this state directory."""
    return state + "/" + SOCKET
