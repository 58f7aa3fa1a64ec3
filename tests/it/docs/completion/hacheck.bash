# Completion of hacheck and its other names for bash. @DO_NOT_EDIT@
# shellcheck shell=bash

# What follows a command: words (its options), values (what options take), arguments.
_hacheck_table() {
    case $1 in
@TABLE@
        *) return 1 ;;
    esac
}

# Services that the daemon was asked for lately, and those that are down.
_hacheck_services() {
    local binary=$1 root=$2 port=$3
    "$binary" list ${port:+-p "$port"} 2>/dev/null | cut -d ' ' -f 1
    _hacheck_downed "$binary" "$root"
}

_hacheck_downed() {
    # An instance of any host is shown with an empty one.
    "$1" downed ${2:+--spool-root "$2"} 2>/dev/null | cut -f 3 | sed -E 's/^([^:]+)::([0-9]+)$/\1:\2/'
}

# Offers what begins with the current word.
_hacheck_offer() {
    local word
    for word in "$@"; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

_hacheck_value() {
    case $1 in
        file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        folder) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        action) _hacheck_offer @ACTIONS@ ;;
        format) _hacheck_offer @FORMATS@ ;;
        top_format) _hacheck_offer @TOP_FORMATS@ ;;
        fleet_format) _hacheck_offer @FLEET_FORMATS@ ;;
        roll_format) _hacheck_offer @ROLL_FORMATS@ ;;
    esac
}

# Values in one word with their option.
_hacheck_value_behind() {
    local given=$1 cur=$2 option
    # Readline replaces what stands behind the sign only, unless it was told otherwise.
    local before=''
    [[ $COMP_WORDBREAKS == *=* ]] || before=$given=
    if [[ $given == --wait ]]; then
        # What is put back has no sessions to wait for.
        case $name in up | haup) _hacheck_offer seen ;; *) _hacheck_offer @WAITS@ ;; esac
    fi
    for option in $values; do
        [[ ${option%%=*} == "$given" ]] && _hacheck_value "${option#*=}"
    done
    COMPREPLY=("${COMPREPLY[@]/#/$before}")
}

# A command and its arguments; $1 is 1 for the command itself.
_hacheck_command() {
    if (($1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$cur" | sort -u)
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

_hacheck_argument() {
    local found
    case $1 in
        services | command) mapfile -t found < <(echo all; _hacheck_services "$binary" "$root" "$port") ;;
        downed) mapfile -t found < <(_hacheck_downed "$binary" "$root") ;;
        folders) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        files) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        probe)
            case $given in
                0) _hacheck_offer @PROTOCOLS@ ;;
                1) mapfile -t found < <(_hacheck_services "$binary" "$root" '') ;;
            esac
            ;;
        *) return ;;
    esac
    mapfile -t found < <(printf '%s\n' "${found[@]}" | sort -u)
    _hacheck_offer "${found[@]}"
}

_hacheck() {
    # Not COMP_WORDS: it is broken at colons, which names of instances have.
    local -a line
    read -ra line <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && line+=('')
    local cur=${line[-1]} name=${line[0]##*/} binary=hacheck first=1
    local words values arguments root='' port='' given=0 wanted='' at option
    COMPREPLY=()
    [[ ${line[0]} == */* ]] && binary=${line[0]%/*}/hacheck
    if [[ $name == hacheck ]]; then
        if ((${#line[@]} == 2)); then
            _hacheck_table serve
            # shellcheck disable=SC2086 # lists of words
            if [[ $cur == -* ]]; then _hacheck_offer $words; else _hacheck_offer @SUBCOMMANDS@ help; fi
            return
        fi
        name=${line[1]} first=2
        if [[ $name == help ]]; then
            _hacheck_offer @SUBCOMMANDS@
            return
        fi
        [[ $name == -* ]] && name=serve first=1
    fi
    _hacheck_table "$name" || return
    for ((at = first; at < ${#line[@]} - 1; at++)); do
        case $wanted in
            folder) root=${line[at]} ;;
            port) port=${line[at]} ;;
        esac
        if [[ -n $wanted ]]; then wanted=''; continue; fi
        case ${line[at]} in
            --)
                # What is behind it is a command, where one is taken.
                if [[ $arguments == command ]]; then
                    _hacheck_command $((at + 1 == ${#line[@]} - 1))
                    return
                fi
                ;;
            --spool-root=*) root=${line[at]#*=} ;;
            --port=*) port=${line[at]#*=} ;;
            -*)
                for option in $values; do
                    [[ ${option%%=*} == "${line[at]}" ]] && wanted=${option#*=}
                done
                ;;
            *) ((given++)) ;;
        esac
    done
    if [[ -n $wanted ]]; then
        _hacheck_value "$wanted"
    elif [[ $cur == --*=* ]]; then
        _hacheck_value_behind "${cur%%=*}" "${cur#*=}"
    elif [[ $cur == -* ]]; then
        # shellcheck disable=SC2086 # a list of words
        _hacheck_offer $words
    else
        _hacheck_argument "$arguments"
    fi
    # Readline replaces what stands behind the last colon only.
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
    fi
}

complete -F _hacheck @NAMES@
