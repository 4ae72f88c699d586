# Completion of the `nshell` command in bash. What may follow -c is asked of the daemon that runs; none is started.
# Without the package bash-completion: source this file in ~/.bashrc.

_nshell_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_nshell_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_nshell() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local state='' program='' index
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
            --state) state=${COMP_WORDS[index+1]}; index=$((index + 1)) ;;
            -c|--command) index=$((index + 1)) ;;
            serve|agent|lab|doctor|run) program=${COMP_WORDS[index]}; break ;;
        esac
    done
    # Readline splits the line at "=" and ":" too; only directories are wanted after these.
    case $previous in
        --state) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --log|--config|--vms) _nshell_files "$current"; return ;;
        --log-level) _nshell_words 'debug info warning error' "$current"; return ;;
        --log-format) _nshell_words 'text json journal' "$current"; return ;;
        --group) mapfile -t COMPREPLY < <(compgen -g -- "$current"); return ;;
        -c|--command) _nshell_command "$current" "$state"; return ;;
    esac
    case $program in
        '') _nshell_words '-c --json --keep-going --no-start --state --version --help run serve agent lab doctor' "$current" ;;
        run) case $current in
                -*) _nshell_words '--json --keep-going' "$current" ;;
                *) _nshell_files "$current" ;;
            esac ;;
        serve) _nshell_words '--state --config --log --log-level --log-format --group --help' "$current" ;;
        doctor) _nshell_words 'controller hypervisor --json --state --help' "$current" ;;
        agent) _nshell_words "$(_nshell_after agent 'join leave run restore attach detach status' \
            '--controller --system-id --uplink --tunnel-address --datapath --rundir --db --json --help')" "$current" ;;
        lab) _nshell_words "$(_nshell_after lab 'up down status exec ping' \
            '--hypervisors --vms --prefix --state-dir --help')" "$current" ;;
    esac
}

# _nshell_after PROGRAM COMMANDS OPTIONS: its commands where none of them was typed, else its options.
_nshell_after() {
    local word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $2 " in *" $word "*) printf '%s' "$3"; return ;; esac
    done
    printf '%s %s' "$2" "$3"
}

# _nshell_command TYPED STATE: the word after -c is a whole command line in quotes, so the answers are command lines too.
_nshell_command() {
    local typed=$1 quote='' line
    case $typed in \'*|\"*) quote=${typed:0:1}; typed=${typed:1} ;; esac
    typed=${typed//\\ / }
    mapfile -t COMPREPLY < <(
        "${COMP_WORDS[0]}" --complete "$typed" ${2:+--state "$2"} 2>/dev/null | while IFS= read -r line; do
            if [ -n "$quote" ]; then printf '%s\n' "$quote$line"; else printf '%q\n' "$line"; fi
        done)
    compopt -o nospace 2>/dev/null
}

complete -F _nshell nshell
