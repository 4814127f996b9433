"""What the state volume keeps besides the certificates and the configuration: password hash, secrets that sign."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import read_private, set_aside, write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.cookie_secrets import is_secret, new_secret
from entrypoint.login.open_logins import is_sound
from entrypoint.login.password import PasswordHash, is_hash, settle_password

Say = Callable[[str], None]
LAYOUT = 2


def keep_layout(path: Path) -> int:
    """Marks how the state is laid out, so that an older Workhorse leaves alone what it would not understand.

    Returns:
        The number that was found, 0 in a new volume.

    Raises:
        WorkhorseError: A newer Workhorse has laid it out.
    """
    found = refuse_newer_layout(path)
    if found < LAYOUT:
        write_private(path, str(LAYOUT).encode())
    return found


def refuse_newer_layout(path: Path) -> int:
    """The number of the layout that is there, 0 where none is.

    Raises:
        WorkhorseError: A newer Workhorse has laid it out.
    """
    try:
        found = int(read_untrusted(path))
    except (OSError, ValueError):
        found = 0
    if found > LAYOUT:
        raise WorkhorseError.of(
            f"The volume 'state' was written by a newer Workhorse (layout {found}; this one knows up to {LAYOUT}).",
            "Go back to the newer one: git pull && docker compose up -d --build",
        )
    return found


def keep_password(path: Path, password: str | None, say: Say) -> PasswordHash:
    """The hash to serve with; `write_password_hash` keeps a new one."""
    return settle_password(password, _read_sound(path, is_hash, say))


def write_password_hash(places: Places, hashed: PasswordHash) -> None:
    if hashed.generated:
        write_private(places.password_in_log, _digest(hashed.text))
    if hashed.is_new:
        write_private(places.password_hash, hashed.text.encode())


def is_password_in_log(places: Places) -> bool:
    """Whether the password is still the one that a start made up and showed."""
    try:
        return read_untrusted(places.password_in_log) == _digest(read_untrusted(places.password_hash).decode())
    except (OSError, UnicodeDecodeError):
        return False


def _digest(hashed: str) -> bytes:
    """So that no second file holds the hash itself."""
    return hashlib.sha256(hashed.encode()).hexdigest().encode()


def replace_password_hash(places: Places, hashed: str) -> None:
    """Puts another hash in place."""
    write_private(places.password_hash, hashed.encode())


def replace_cookie_secret(places: Places) -> None:
    """Whoever is logged in, is so no more."""
    write_private(places.cookie_secret, new_secret().encode())


def keep_cookie_secret(path: Path, say: Say) -> None:
    """Makes a secret that signs cookies, where there is no sound one."""
    if _read_sound(path, is_secret, say) is None:
        write_private(path, new_secret().encode())


def keep_open_logins(places: Places, say: Say) -> None:
    """Where it can't be told any more which logins were ended, all are."""
    if os.path.lexists(places.open_logins) and _read_sound(places.open_logins, is_sound, say) is None:
        replace_cookie_secret(places)
        say("Everyone is signed out, since nothing else holds which devices were. Kernels run on.")


def keep_notify_url(path: Path, url: str) -> None:
    """Puts where notices go to in its place; nothing stands there where there is nowhere."""
    if url:
        write_private(path, url.encode())
    else:
        path.unlink(missing_ok=True)


def _read_sound(path: Path, is_sound: Callable[[str], bool], say: Say) -> str | None:
    """A file's text if it is what it should be; else it is set aside, and that is said."""
    try:
        content = read_private(path)
        text = None if content is None else content.decode("ascii").strip()
        if text is None or is_sound(text):
            return text
    except (OSError, UnicodeDecodeError):
        pass
    say(f"{path} can't be used; it is kept as {set_aside(path)} and made anew.")
    return None
