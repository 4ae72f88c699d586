#!/usr/bin/env bash
# Install what is missing, and nothing else: Debian packages and the virtual environment. `make` calls it; each step is
# quick when there is nothing to do.
#
#   bootstrap.sh packages [bench]   apt packages for the lab and the tests; with `bench`, OVN too
#   bootstrap.sh venv               .venv with the package (editable) and its pinned dependencies, those of the tests too
#   bootstrap.sh runtime            the same without those of the tests: what `make install` copies
set -euo pipefail
cd "$(dirname "$0")"

lab_packages=(openvswitch-switch ethtool tcpdump tmux iproute2 iputils-ping procps make git)
# The lab's wide area network: the demo has one, too. The lab starts daemons of its own; the system's stay down.
wan_packages=(frr)
# What the tests drive the shell with, and check the units and log rotation with; their services stay down.
test_packages=(openssh-client openssh-server zsh bash-completion systemd logrotate udhcpc isc-dhcp-client
    frr-pythontools gobgpd bird2 chromium prometheus nfdump iperf3 rsyslog rsyslog-gnutls)
bench_packages=(ovn-central ovn-host)
pip_version=26.3   # pip before 25.2 writes a console script that imports `re`: 5 ms of every `nshell` start

say() { printf 'bootstrap: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else say "root is needed for: $*"; say "run it as root, or install sudo"; exit 1; fi
}

missing_packages() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || printf '%s\n' "$name"
    done
}

# install_packages PACKAGE...: the package lists are fetched only when something is missing.
install_packages() {
    local -a wanted
    mapfile -t wanted < <(missing_packages "$@")
    [ ${#wanted[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || { say "needs ${wanted[*]}: install them with this system's package manager"; exit 1; }
    say "installing ${wanted[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${wanted[@]}" </dev/null
}

# Debian starts the services of what it installs. Benchmarks and tests start their own, so the system's stay down.
without_services() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then "$@"; return; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    # shellcheck disable=SC2064
    trap "as_root rm -f $policy" EXIT
    "$@"
    as_root rm -f "$policy"
    trap - EXIT
}

# The first python that is new enough and can make a virtual environment (Debian's needs python3-venv for that).
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        "$candidate" -c 'import sys, venv, ensurepip; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' \
            2>/dev/null && return
    done
    return 1
}

# make_venv EXTRAS: '[dev]', or nothing.
make_venv() {
    local python
    if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c pass 2>/dev/null; then
        python=$(find_python) || { install_packages python3 python3-venv; python=$(find_python); } \
            || { say "no Python 3.11 or newer was found; name one with PYTHON="; exit 1; }
        say "making .venv with $python"
        rm -rf .venv
        "$python" -m venv .venv
    fi
    .venv/bin/python -m pip install -q --disable-pip-version-check "pip==$pip_version"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-input -c constraints.txt -e ".$1"
}

case "${1:-}" in
    packages)
        install_packages "${lab_packages[@]}"
        without_services install_packages "${wan_packages[@]}" "${test_packages[@]}"
        if [ "${2:-}" = bench ]; then without_services install_packages "${bench_packages[@]}"; fi ;;
    venv) make_venv '[dev]'; touch .venv/installed ;;
    runtime) make_venv '' ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
