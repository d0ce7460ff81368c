# bash completion of tandem: commands, flags, keywords, files, and the names of
# the running agent's instances.

_tandem() {
    local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} full prefix kind word
    COMPREPLY=()
    # bash also ends words at these, and puts them into words of their own.
    case $cur in [=:]) cur= ;; esac
    full=${line##*[[:space:]]}
    prefix=${full%"$cur"}
    {
        read -r kind || return
        case $kind in
        files)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
        dirs)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            ;;
        *)
            while IFS=$'\t' read -r word _; do
                printf -v word %q "${word#"$prefix"}"
                COMPREPLY+=("$word")
            done
            ;;
        esac
    } < <(command "${COMP_WORDS[0]/#\~/$HOME}" __complete --line "$line" 2>/dev/null)
}

complete -F _tandem tandem
