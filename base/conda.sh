# The shell function that conda's own conda.sh defines: activation has to change the shell that asks for it.
conda() {
    case "${1:-}" in
    activate)
        local prefix
        prefix=$(command conda prefix "${2:-base}") || return 1
        conda deactivate
        export CONDA_OLD_PATH=$PATH CONDA_PREFIX=$prefix CONDA_DEFAULT_ENV=${2:-base} CONDA_SHLVL=1
        export PATH="$prefix/bin:$PATH"
        ;;
    deactivate)
        [ -z "${CONDA_OLD_PATH:-}" ] || export PATH=$CONDA_OLD_PATH
        unset CONDA_OLD_PATH CONDA_PREFIX CONDA_DEFAULT_ENV
        export CONDA_SHLVL=0
        ;;
    *) command conda "$@" ;;
    esac
}
mamba() { conda "$@"; }
