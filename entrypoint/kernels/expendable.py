"""What a person's programs leave to the server: the last of the processes, and life when memory runs out."""

from __future__ import annotations

from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Control groups of version 2 and of version 1 (kernel.org, admin-guide/cgroup-v2 and cgroup-v1/pids).
LIMIT_FILES = ("pids.max", "pids/pids.max")
# For the server's threads, and for what the health check and `docker compose exec` start.
RESERVED_PROCESSES = 256
# Programs of terminals too, or all kernels would end before one of those that takes the memory.
LIKELIHOOD = 500


def expendable(command: list[str], cgroup: Path = CGROUP) -> list[str]:
    """The command by which a kernel or a terminal starts, so that it and its children can't take everything."""
    # Anyone may make a process more likely to be chosen, and its children are so too (proc(5), oom_score_adj).
    command = ["choom", "-n", str(LIKELIHOOD), "--", *command]
    limit = most_processes(cgroup)
    return command if limit is None else ["prlimit", f"--nproc={limit}", "--", *command]


def most_processes(cgroup: Path) -> int | None:
    """For how many processes and threads of the user there is room; None where the container has no limit.

    A control group of their own can't be made in here. The user's limit (getrlimit(2), RLIMIT_NPROC) counts what the
    same user runs on the host as well, for which the container's is large.
    """
    for name in LIMIT_FILES:
        try:
            text = (cgroup / name).read_text().strip()
        except OSError:
            continue
        return max(int(text) - RESERVED_PROCESSES, 1) if text.isdigit() else None
    return None
