# shellcheck shell=sh
# Every shell: the default kernel's Python and pip come first, and conda can activate others over them.
# /etc/profile resets PATH in a login shell, as Jupyter's terminals are; a second reading changes nothing.
case ":$PATH:" in
*":$HOME/venv/bin:"*) ;;
*) export PATH="$HOME/venv/bin:/opt/conda/envs/default/bin:$PATH:/opt/conda/condabin:/opt/conda/bin" ;;
esac
if [ -n "${BASH_VERSION:-}" ] && [ -r /opt/conda/etc/profile.d/conda.sh ]; then
    . /opt/conda/etc/profile.d/conda.sh
fi
