# Completion of hacheck and its other names for fish. @DO_NOT_EDIT@

# Whether the line is of `hacheck` with this subcommand.
function __hacheck_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end

function __hacheck_needs_subcommand
    test (count (commandline -opc)) -eq 1
end

# An option with its value, by its spellings, where it was given.
function __hacheck_given
    set -l words (commandline -opc)
    for at in (seq (count $words))
        for spelling in $argv
            if test $words[$at] = $spelling; and test (count $words) -gt $at
                string join \n -- $spelling $words[(math $at + 1)]
                return
            else if string match -q -- "$spelling=*" $words[$at]
                echo $words[$at]
                return
            end
        end
    end
end

function __hacheck_downed
    # An instance of any host is shown with an empty one.
    hacheck downed (__hacheck_given --spool-root) 2>/dev/null | string split -f 3 \t | string replace -r '^([^:]+)::([0-9]+)$' '$1:$2'
end

# Services that the daemon was asked for lately, and those that are down.
function __hacheck_services
    echo all
    hacheck list (__hacheck_given --port -p) 2>/dev/null | string split -f 1 ' '
    __hacheck_downed
end

function __hacheck_has_dashes
    contains -- -- (commandline -opc)
end

# What completes the command behind haroll's two dashes.
function __hacheck_command
    set -l words (commandline -opc)
    set -l behind (math (contains -i -- -- $words) + 1)
    set -l before
    if test $behind -le (count $words)
        set before (string escape -- $words[$behind..-1])
    end
    complete -C (string join ' ' -- $before (commandline -ct))
end

@TABLE@
