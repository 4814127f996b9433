"""The password: hashed once, kept as a hash, and made up where nobody chose one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

# Easily told apart and typed on a phone: no capitals, no symbols, and none of l 1 o 0 i.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 4, 4
# jupyter-server's form and its measures of argon2: a hash of before the wall serves on.
FORM = "argon2:"
MEMORY_KIB, PASSES, LANES = 10240, 10, 8


@dataclass(frozen=True)
class PasswordHash:
    """A hash in jupyter-server's form, and the password itself where it was made up just now."""

    text: str
    generated: str | None = None
    is_new: bool = False


def generate_password() -> str:
    """16 of 31 characters in groups, 79 bits: out of reach of guessing even from the hash."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def hash_password(password: str) -> str:
    from argon2 import PasswordHasher  # slow to import, and a warm start does without

    hasher = PasswordHasher(memory_cost=MEMORY_KIB, time_cost=PASSES, parallelism=LANES)
    return f"{FORM}{hasher.hash(password)}"


def verifies(hashed: str, password: str) -> bool:
    """Whether a password belongs to a hash, whatever it was made with."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(hashed.removeprefix(FORM), password)
    except (Argon2Error, InvalidHashError):
        return False


def is_hash(text: str) -> bool:
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        extract_parameters(text.removeprefix(FORM))
    except InvalidHashError:
        return False
    return text.startswith(f"{FORM}$argon2")


def settle_password(password: str | None, kept: str | None) -> PasswordHash:
    """The hash to serve with: the kept one while it fits, so that a restart logs nobody out.

    Args:
        password: What the person set, if anything.
        kept: The hash of an earlier start, if there is a sound one.
    """
    if password is None:
        if kept:
            return PasswordHash(kept)
        generated = generate_password()
        return PasswordHash(hash_password(generated), generated, is_new=True)
    if kept and verifies(kept, password):
        return PasswordHash(kept)
    return PasswordHash(hash_password(password), is_new=True)
