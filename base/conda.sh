# shellcheck shell=sh disable=SC3043  # `local` is in dash, bash and busybox alike
# The shell function that conda's own conda.sh defines: activation has to change the shell that asks for it.
conda() {
    case "${1:-}" in
    activate) _conda_activate "${2:-base}" ;;
    deactivate) _conda_deactivate ;;
    *) /opt/conda/bin/conda "$@" ;;
    esac
}

# Remembers the environment that was active, as CONDA_PREFIX_1 and so on, for `conda deactivate` to return to.
_conda_activate() {
    local prefix
    prefix=$(/opt/conda/bin/conda prefix "$1") || return 1
    [ "$prefix" != "${CONDA_PREFIX:-}" ] || return 0
    _conda_leave
    [ -z "${CONDA_PREFIX:-}" ] || export "CONDA_PREFIX_${CONDA_SHLVL:-1}=$CONDA_PREFIX"
    export CONDA_SHLVL=$((${CONDA_SHLVL:-0} + 1))
    _conda_enter "$prefix"
}

_conda_deactivate() {
    local previous=
    [ -n "${CONDA_PREFIX:-}" ] || return 0
    _conda_leave
    export CONDA_SHLVL=$((${CONDA_SHLVL:-1} - 1))
    [ "$CONDA_SHLVL" -eq 0 ] || eval "previous=\$CONDA_PREFIX_$CONDA_SHLVL; unset CONDA_PREFIX_$CONDA_SHLVL"
    unset CONDA_PREFIX
    # As conda leaves it (conda 26.7, activate.py, unset_var_tmpl).
    export CONDA_DEFAULT_ENV=
    if [ -n "$previous" ]; then _conda_enter "$previous"; else _conda_prompt ""; fi
}

_conda_enter() {
    local name="$1"
    case "$1" in
    /opt/conda) name=base ;;
    */envs/*) name=${1##*/} ;;
    esac
    export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$name" PATH="$1/bin:$PATH"
    _conda_prompt "($name) "
    _conda_scripts activate.d
}

# Takes the active environment's folder off PATH, where it was put.
_conda_leave() {
    local path=":$PATH:"
    [ -n "${CONDA_PREFIX:-}" ] || return 0
    _conda_scripts deactivate.d
    case "$path" in
    *":$CONDA_PREFIX/bin:"*) path="${path%%":$CONDA_PREFIX/bin:"*}:${path#*":$CONDA_PREFIX/bin:"}" ;;
    esac
    path=${path#:}
    export PATH="${path%:}"
}

_conda_prompt() {
    [ -z "${PS1:-}" ] || PS1="$1${PS1#"${CONDA_PROMPT_MODIFIER:-}"}"
    export CONDA_PROMPT_MODIFIER="$1"
}

_conda_scripts() {
    local script
    for script in "$CONDA_PREFIX/etc/conda/$1"/*.sh; do
        # shellcheck disable=SC1090  # a package's own
        [ ! -r "$script" ] || . "$script"
    done
}
