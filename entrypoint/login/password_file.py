"""Whether notebooks can read the password where it is given: in a file with the host's mode, or an environment."""

from __future__ import annotations

import os
from pathlib import Path

from entrypoint.files.errors import Problem
from entrypoint.settings.settings import Settings
from entrypoint.system.identity import Identity

# The container knows the mounted file alone, and not by which name .env gives it.
FILE = "./password.txt"
CLOSE = f"sudo chown root:root {FILE} && sudo chmod 600 {FILE}"
ONLY_THE_HASH = "Once started, only its hash is needed, and the password stays the same. In .env:"


def password_exposure(settings: Settings, identity: Identity) -> Problem | None:
    """Why a notebook, and so this process, can read the password, with what mends it; None if it can't."""
    if settings.jupyter_password and not settings.jupyter_password_file and not identity.switches:
        return Problem(
            f"A notebook can read the password: the container was started as user {identity.user.uid}, as whom "
            "notebooks run, and the environment of each health check and `docker compose exec` holds it.",
            f"{ONLY_THE_HASH} JUPYTER_PASSWORD=''   then: docker compose up -d",
        )
    file = Path(settings.jupyter_password_file)
    if not settings.jupyter_password_file or not os.access(file, os.R_OK):
        return None
    status = file.stat()
    return Problem(
        "Every notebook can read the password: the file that JUPYTER_PASSWORD_FILE names is open to user "
        f"{identity.user.uid}, as whom notebooks run (it belongs to user {status.st_uid}, mode "
        f"{status.st_mode & 0o7777:04o}).",
        _remedy(identity),
    )


def _remedy(identity: Identity) -> str:
    if identity.switches:
        return f"On the host, with that file's name: {CLOSE}"
    # The start reads the file as the same user as notebooks do.
    return (
        "No owner or mode can mend that here, where the start is the same user as notebooks.\n"
        f"  {ONLY_THE_HASH} JUPYTER_PASSWORD_FILE=   then: docker compose up -d"
    )
