# fish completion of tandem: commands, flags, keywords, files, and the names of
# the running agent's instances.

function __tandem_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines (command $program __complete -- $words $current 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    switch $kind
        case files
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current)
        case dirs
            __fish_complete_directories (string replace -r '^--[^=]*=' '' -- $current)
        case '*'
            printf '%s\n' $lines
    end
end

complete -c tandem -f -a '(__tandem_complete)'
