#compdef @NAMES@
# Completion of hacheck and its other names for zsh. @DO_NOT_EDIT@

# The value of an option that was given, by its spellings.
_hacheck_given() {
    local spelling
    for spelling in $@; do
        [[ -n $opt_args[$spelling] ]] && reply=($spelling "${(Q)opt_args[$spelling]}") && return
    done
    reply=()
}

_hacheck_downed() {
    local -a reply found
    _hacheck_given --spool-root
    # An instance of any host is shown with an empty one.
    found=(${(f)"$(hacheck downed $reply 2>/dev/null | cut -f 3 | sed -E 's/^([^:]+)::([0-9]+)$/\1:\2/')"})
    _wanted services expl 'service that is down' compadd -a found
}

# Services that the daemon was asked for lately, and those that are down.
_hacheck_services() {
    local -a reply found
    _hacheck_given --port -p
    found=(all ${(f)"$(hacheck list $reply 2>/dev/null | cut -d ' ' -f 1)"})
    _wanted services expl service compadd -a found
    _hacheck_downed
}

# Services, two dashes, and any command.
_hacheck_roll_words() {
    local dashes=${words[(i)--]}
    if (( dashes < CURRENT )); then
        shift $dashes words
        (( CURRENT -= dashes ))
        _normal
        return
    fi
    _hacheck_options_roll
}

@TABLE@
_hacheck_subcommands() {
    local -a subcommands
    subcommands=(
@SUBCOMMANDS@
    )
    _describe subcommand subcommands
}

_hacheck() {
    local applet=$service
    if [[ $applet == hacheck ]]; then
        if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
            _hacheck_subcommands
            return
        fi
        # As the daemon is started: hacheck -c FILE.
        applet=serve
        if [[ $words[2] != -* ]]; then
            applet=$words[2]
            shift words
            (( CURRENT-- ))
        fi
    fi
    case $applet in
        roll) _hacheck_roll_words ;;
        *) (( $+functions[_hacheck_options_$applet] )) && _hacheck_options_$applet ;;
    esac
}

_hacheck "$@"
