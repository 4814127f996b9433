# shellcheck shell=sh disable=SC3044  # what is bash's alone stands behind a question for bash
# Every shell: the default kernel's Python and pip come first, and conda can activate others over them.
# /etc/profile resets PATH in a login shell, as Jupyter's terminals are; a second reading changes nothing.
case ":$PATH:" in
*":$HOME/venv/bin:"*) ;;
*) export PATH="$HOME/venv/bin:/opt/conda/envs/default/bin:$PATH:/opt/conda/condabin:/opt/conda/bin" ;;
esac

_workhorse_conda() {
    if [ -r /opt/conda/etc/profile.d/conda.sh ]; then . /opt/conda/etc/profile.d/conda.sh; fi
    declare -F conda >/dev/null || return
    # conda's own, under another name.
    eval "_workhorse_conda_itself() $(declare -f conda | tail -n +2)"
    conda() {
        case "${1:-}:${CONDA_PREFIX:-/opt/conda}/" in
        activate:* | deactivate:*) _workhorse_conda_itself "$@" ;;
        *:/opt/conda/*) /usr/local/bin/conda "$@" ;;
        *) _workhorse_conda_itself "$@" ;;
        esac
    }
    # mamba's own wants a set-up of the shell that isn't there.
    mamba() {
        case "${1:-}" in
        activate | deactivate) conda "$@" ;;
        *) /usr/local/bin/mamba "$@" ;;
        esac
    }
}

if [ -n "${BASH_VERSION:-}" ]; then
    # As in any other terminal, which is no login shell; what a person has for those reads it itself.
    case "$-:$(cd "$HOME" && ls .bash_profile .bash_login .profile 2>/dev/null)" in
    *i*:) if shopt -q login_shell && [ -r "$HOME/.bashrc" ]; then . "$HOME/.bashrc"; fi ;;
    esac
    _workhorse_conda
fi
unset -f _workhorse_conda
