"""Where everything of the daemon lives. The client imports this on its hot path: `os` alone.

                    the system's (root, the service, who may pass /run/nshell)    a user's own         --state DIR
    state           /var/lib/nshell                      $XDG_STATE_HOME/nshell (~/.local/state)        DIR
    socket          /run/nshell/nshell.sock              in the state directory                         in DIR
    log             journal, or /var/log/nshell          in the state directory                         in DIR
    configuration   /etc/nshell/nshell.conf              $XDG_CONFIG_HOME/nshell/nshell.conf (~/.config)   in DIR

Everything follows from the state directory, so that two ends that agree on it agree on the rest. A user's socket is not
in $XDG_RUNTIME_DIR: that directory goes with the last login, and the daemon stays.
"""

import os

SOCKET = "nshell.sock"
LOG = "nshell.log"
CONFIGURATION = "nshell.conf"
SYSTEM_STATE = "/var/lib/nshell"
SYSTEM_RUNTIME = "/run/nshell"
SYSTEM_LOGS = "/var/log/nshell"
SYSTEM_CONFIGURATION = "/etc/nshell"


def state_directory(option: str = "") -> str:
    """The absolute state directory: --state, else $NSHELL_STATE, else the system's for those it lets in, else the
    user's own.

    The runtime directory decides, not the socket: a member of the group must hear that the service is down instead of
    getting an empty daemon of its own.
    """
    chosen = option or os.environ.get("NSHELL_STATE", "")
    if chosen:
        return os.path.abspath(chosen)
    if os.geteuid() == 0 or os.access(SYSTEM_RUNTIME, os.X_OK):
        return SYSTEM_STATE
    return own_state()


def own_state() -> str:
    """The state directory of a user that is not root."""
    return home("XDG_STATE_HOME", "/.local/state") + "/nshell"


def home(variable: str, usual: str) -> str:
    """A base directory of the XDG specification; one that is not absolute is to be ignored."""
    chosen = os.environ.get(variable, "")
    return chosen if chosen.startswith("/") else os.path.expanduser("~") + usual


def socket_path(state: str) -> str:
    """The unix socket of the daemon that serves this state directory."""
    return (SYSTEM_RUNTIME if state == SYSTEM_STATE else state) + "/" + SOCKET


def log_path(state: str) -> str:
    """The log of a daemon in the background, unless it is told another."""
    return (SYSTEM_LOGS if state == SYSTEM_STATE else state) + "/" + LOG


def configuration_path(state: str) -> str:
    """The daemon's configuration file; it need not exist."""
    if state == SYSTEM_STATE:
        return SYSTEM_CONFIGURATION + "/" + CONFIGURATION
    if state == own_state():
        return home("XDG_CONFIG_HOME", "/.config") + "/nshell/" + CONFIGURATION
    return state + "/" + CONFIGURATION
