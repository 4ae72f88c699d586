"""A commit as a script that the router itself runs, so that no death of ours leaves it half-way.

The driver writes a change down in a directory of its own on the router, starts this script detached from every
terminal and session, and reads the outcome. From then on the script needs nobody:

    STATE/lock              held (flock) while a configuration is being changed, by frr-reload.py too: one at a time
    STATE/changing          names the change under way; still there without its lock: its script was killed
    STATE/pending           names the change that reverts unless it is confirmed, and when
    STATE/previous.conf     the running configuration before the last commit: what rollback() returns to
    STATE/change.XXXXXX/    one change
        frr.conf            the candidate (replace) or the lines to add (merge)
        previous/frr.conf   the running configuration before it
        outcome             written at the end: `ok`, or a word of FAILURES and what was said

Order matters: what would undo the change is on disk before the first line of it is applied. The startup
configuration is written only when a commit is final, so a reboot of the router reverts a pending one too; STATE
belongs on a file system that a reboot empties (/run).

`frr-reload.py` is given a configuration directory that holds the very file it loads: with any other it would write
the startup configuration by itself. It is run until its own comparison finds nothing more or nothing new, and what
counts is that comparison: one pass is not always enough, and a pass may fail although all is well in the end. Without
`exit` between the blocks it writes, bgpd of a build with VNC (FRR 8.4.4 of Debian) takes a `vrf RED` that follows a
`router bgp` block as `vrf-policy RED`, and zebra refuses a `vni` that the first of its two rounds has set already.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

PASSES = 3  # of frr-reload.py; two are enough for every trap known
LOCK_TIMEOUT = 30  # seconds another one's change may take before ours gives up
STALE_AFTER = 1440  # minutes after which a directory that nobody refers to is removed

FAILURES: Mapping[str, str] = {
    "locked": "another commit is being applied to this router",
    "pending": "an earlier commit waits to be confirmed: confirm_commit() or rollback() first",
    "interrupted": "an earlier commit was killed half-way; it has been undone now: compare and commit again",
    "unreadable": "the running configuration could not be read",
    "refused": "the router refused the change; the former configuration is back",
    "unsaved": "the startup configuration could not be written; the former configuration is back",
    "stuck": "the router refused the change, and the former configuration is NOT wholly back: rollback() tries again",
    "nothing": "there is nothing to do that to",
}
"""Why a script gives up: the first word of its outcome."""


@dataclass(frozen=True, slots=True)
class Router:
    """What the script must know of a router; every word is quoted when it is written into the script."""

    state: str  # directory
    vtysh: tuple[str, ...]
    reload: tuple[str, ...]  # frr-reload.py with its fixed arguments
    instance: str  # FRR's pathspace; empty: none
    vtysh_conf: str  # vtysh's own settings, of which the running configuration shows some
    save: bool  # whether final commits are written to the startup configuration


def script(router: Router, change: str, verb: str, *, revert_in: int = 0, message: str = "") -> str:
    """The shell script for a change: verb is replace, merge, rollback or confirm; `change` its directory."""
    settings = {
        "state": router.state,
        "change": change,
        "verb": verb,
        "revert_in": str(revert_in),
        "save": "yes" if router.save else "no",
        "instance": router.instance,
        "vtysh_conf": router.vtysh_conf,
        "message": message,
        "passes": str(PASSES),
        "lock_timeout": str(LOCK_TIMEOUT),
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    programs = {"vtysh": router.vtysh, "reload": router.reload}
    commands = "".join(f'{name}() {{ command {shlex.join(words)} "$@"; }}\n' for name, words in programs.items())
    return f"set -u\numask 077\n{head}{commands}{BODY}"


BODY = r"""
finish() {  # WORD [TEXT]: say how it ended; only the first word counts
    [ -e "$change/outcome" ] && return
    printf '%s\n%s\n' "$1" "${2:-}" > "$change/outcome.new" && mv "$change/outcome.new" "$change/outcome"
}

give_up() { finish "$@"; exit 1; }

running() {  # FILE: the running configuration, whole or not at all
    vtysh -c 'show running-config no-header' > "$1.new" 2>> "$change/log" && [ -s "$1.new" ] && mv "$1.new" "$1"
}

prepare() {  # DIRECTORY: a configuration directory as vtysh wants it
    mkdir -p "$1/$instance" && { cat "$vtysh_conf" 2>/dev/null || :; } > "$1/${instance:-.}/vtysh.conf"
}

compare() {  # DIRECTORY: what it would still take, in `left`
    left=$(reload --test --confdir "$1" --rundir "$1" "$1/frr.conf" 2>> "$change/log") || { left=unknown; return 1; }
}

converge() {  # DIRECTORY: make the running configuration what its frr.conf says
    left=unknown pass=0 before= code=1
    prepare "$1" || return 1
    while [ "$pass" -lt "$passes" ]; do
        reload --reload --confdir "$1" --rundir "$1" "$1/frr.conf" >> "$change/said" 2>&1
        code=$?
        compare "$1" || return 1
        [ -z "$left" ] && return 0
        [ "$left" = "$before" ] && break
        before=$left pass=$((pass + 1))
    done
    return "$code"
}

merge() {  # the lines as they are; FRR also refuses some that are in force already (`vni`), which is as good
    vtysh -f "$change/frr.conf" >> "$change/said" 2>&1 && return
    mkdir -p "$change/merged" && running "$change/now" && prepare "$change/merged" \
        && { sed '/^end$/d' "$change/now"; cat "$change/frr.conf"; } > "$change/merged/frr.conf" \
        && compare "$change/merged" && [ -z "$left" ]
}

go_back() {  # CHANGE: to what was before it; succeeds when the router says the same again
    converge "$1/previous" || converge "$1/previous"
    [ -z "$left" ] || { running "$change/now" && cmp -s "$change/now" "$1/previous/frr.conf"; }
}

write_startup() { [ "$save" = no ] || vtysh -c 'write memory' >> "$change/said" 2>&1; }

said() { tail -c 2000 "$change/said" 2>/dev/null; }

undo() {  # WORD: a change that failed
    if go_back "$change"; then rm -f "$state/changing" "$state/pending"; give_up "$1" "$(said)"; fi
    mv -f "$state/changing" "$state/pending"
    give_up stuck "$(said)"
}

pending_change() { sed -n 1p "$state/pending" 2>/dev/null; }

take_lock() {
    exec 9>> "$state/lock"
    flock -w "$lock_timeout" 9
}

after_the_killed() {  # a change whose script was killed between its first line and its last
    [ -e "$state/changing" ] || return 1
    dead=$(sed -n 1p "$state/changing")
    go_back "$dead" || give_up stuck "$(said)"
    rm -f "$state/changing" "$state/pending"
}

apply() {
    if [ -e "$state/changing" ]; then after_the_killed; give_up interrupted; fi
    [ -e "$state/pending" ] && give_up pending
    mkdir -p "$change/previous" && running "$change/previous/frr.conf" || give_up unreadable
    printf '%s\n' "$change" > "$state/changing.new" && mv "$state/changing.new" "$state/changing" \
        || give_up unreadable 'the state directory cannot be written'
    logger -t napalm-frr -- "commit${message:+: $message}" 2>/dev/null || :
    if [ "$verb" = merge ]; then
        merge || undo refused
    else
        converge "$change" || undo refused
    fi
    if [ "$revert_in" -gt 0 ]; then
        printf '%s\n%s\n%s\n' "$change" "$(($(date +%s) + revert_in))" "$message" > "$state/pending.new"
        mv "$state/pending.new" "$state/pending"
    else
        write_startup || undo unsaved
        cp "$change/previous/frr.conf" "$state/previous.new" && mv "$state/previous.new" "$state/previous.conf"
    fi
    rm -f "$state/changing"
    finish ok
    [ "$revert_in" -gt 0 ] || return 0
    flock -u 9
    watch
}

watch() {  # until it is confirmed, or time is up
    deadline=$(sed -n 2p "$state/pending")
    while [ "$(pending_change)" = "$change" ] && [ "$(date +%s)" -lt "$deadline" ]; do sleep 1 9>&-; done
    until flock -w "$lock_timeout" 9; do :; done
    [ "$(pending_change)" = "$change" ] || return 0
    logger -t napalm-frr -- 'not confirmed in time: reverting' 2>/dev/null || :
    # a refusal may pass, as another one's `configure terminal` does; whoever waits sees that it is still pending
    attempt=0
    until go_back "$change" || [ "$attempt" -ge 30 ]; do sleep 1 9>&-; attempt=$((attempt + 1)); done
    [ "$attempt" -lt 30 ] && rm -f "$state/pending"
}

roll_back() {
    if after_the_killed; then :
    elif [ -e "$state/pending" ]; then
        go_back "$(pending_change)" || give_up stuck "$(said)"
        rm -f "$state/pending"
    elif [ -e "$state/previous.conf" ]; then
        mkdir -p "$change/previous" && cp "$state/previous.conf" "$change/previous/frr.conf"
        go_back "$change" || give_up stuck "$(said)"
        write_startup || give_up unsaved "$(said)"
        rm -f "$state/previous.conf"
    else
        give_up nothing
    fi
    finish ok
}

confirm() {
    [ -e "$state/pending" ] && [ ! -e "$state/changing" ] || give_up nothing
    write_startup || give_up unsaved "$(said)"
    cp "$(pending_change)/previous/frr.conf" "$state/previous.new" && mv "$state/previous.new" "$state/previous.conf"
    rm -f "$state/pending"
    finish ok
}

: > "$change/said"
take_lock || give_up locked
case $verb in
    replace | merge) apply ;;
    rollback) roll_back ;;
    confirm) confirm ;;
esac
"""

START = r"""
umask 077
change=$1 patience=$2
(setsid sh "$change/commit.sh" < /dev/null >> "$change/log" 2>&1 & echo $! > "$change/pid")
limit=$(($(date +%s) + patience))
while [ ! -e "$change/outcome" ]; do
    kill -0 "$(cat "$change/pid")" 2>/dev/null || { [ -e "$change/outcome" ] || exit 3; }
    [ "$(date +%s)" -lt "$limit" ] || exit 4
    sleep 0.05
done
cat "$change/outcome"
"""
"""Starts CHANGE/commit.sh detached and prints its outcome; exit code 3: it died, 4: not done in PATIENCE seconds."""

DIED, UNFINISHED = 3, 4

COMPARE = r"""
umask 077
change=$1 instance=$2 vtysh_conf=$3
shift 3
mkdir -p "$change/$instance" && { cat "$vtysh_conf" 2>/dev/null || :; } > "$change/${instance:-.}/vtysh.conf"
exec "$@" --test --confdir "$change" --rundir "$change" "$change/frr.conf"
"""
"""Runs frr-reload.py, given as the words after CHANGE, INSTANCE and VTYSH_CONF, to compare only."""

MAKE = r"""
umask 077
state=$1
mkdir -p "$state" && [ -O "$state" ] && chmod 700 "$state" || exit 1
for old in $(find "$state" -maxdepth 1 -name 'change.*' -mmin +"$2"); do
    grep -qsxF "$old" "$state/pending" "$state/changing" || rm -rf "$old"
done
mktemp -d "$state/change.XXXXXX"
"""
"""Makes a directory for a change in STATE, mode 700, and prints its name; removes those older than so many minutes."""

WRITE = r"""
umask 077
cat > "$1.new" && [ "$(wc -c < "$1.new")" -eq "$2" ] && mv "$1.new" "$1"
"""
"""Writes its standard input, which must be so many bytes, to a file of mode 600: whole or not at all."""

REMOVE = r"""
[ "$(sed -n 1p "$1/pending" 2>/dev/null)" = "$2" ] || [ "$(sed -n 1p "$1/changing" 2>/dev/null)" = "$2" ] || rm -rf "$2"
"""
"""Removes a change of STATE, unless it is the pending one or under way."""
