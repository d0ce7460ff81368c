#compdef tandem
# zsh completion of tandem: commands, flags, keywords, files, and the names of
# the running agent's instances.

_tandem() {
    local -a lines described
    local kind line
    lines=("${(@f)$(command ${(Q)words[1]/#\~/$HOME} __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    case $kind in
    files)
        compset -P '*='
        _files
        ;;
    dirs)
        compset -P '*='
        _files -/
        ;;
    *)
        for line in $lines; do
            described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        done
        _describe tandem described
        ;;
    esac
}

if [[ $funcstack[1] = _tandem ]]; then
    _tandem "$@"
else
    compdef _tandem tandem
fi
