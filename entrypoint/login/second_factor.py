"""The second factor: six digits from a phone (RFC 6238), or a recovery code where the phone is gone."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from pyotp import TOTP, random_base32

from entrypoint.files.errors import Problem
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.password import generate_password

ISSUER = "Workhorse"
RECOVERY_CODES = 10
# One step of 30 seconds either way is what RFC 6238, section 5.2, allows for slow networks and clocks that drift.
DRIFT_STEPS = 1
STEP_MAX = 253_402_300_799 // 30  # the end of the year 9999, where pyotp's calendar ends
TYPED_LENGTH_MAX = 100
NOBODY_ENROLLED = Problem(
    "TOTP is on, but no phone is enrolled, or the enrolment can't be read, so nobody can log in.",
    "Enrol one: docker compose exec workhorse workhorse totp",
)

_SECRET = re.compile(r"[A-Z2-7]{32}")  # 160 bits, as RFC 4226, section 4, recommends
_HASH = re.compile(r"[0-9a-f]{64}")
_SEPARATORS = re.compile(r"[\s\-‐-―]+")  # phones make long dashes of short ones


@dataclass(frozen=True)
class SecondFactor:
    """What the server keeps to check codes with.

    Args:
        secret: The key shared with the phone, in base32.
        last_step: The latest 30-second step, counted from 1970, that a code was accepted for.
        recovery_hashes: The SHA-256 of each recovery code still unspent, in hex. A fast hash is enough, since
            nobody can try all of 79 random bits; a slow one would have to run once for each code left.
    """

    secret: str = field(repr=False)
    last_step: int
    recovery_hashes: tuple[str, ...] = field(repr=False)


def new_second_factor() -> tuple[SecondFactor, list[str]]:
    """A fresh factor, and its recovery codes in plain text, to be shown once and kept nowhere."""
    codes = [generate_password() for _ in range(RECOVERY_CODES)]
    return SecondFactor(random_base32(32), 0, tuple(_hash(_bare(code)) for code in codes)), codes


def check(factor: SecondFactor, code: str, now: datetime) -> SecondFactor | None:
    """Judges a code as it was typed, of either kind, with any spaces, dashes and capitals.

    Args:
        now: The time with its zone; a naive one would count as local time.

    Returns:
        The factor to keep from now on, which refuses this code and every earlier one from the phone; None if
        the code is wrong or spent. Keep it before letting anybody in, or the code is good for a second login.
    """
    if len(code) > TYPED_LENGTH_MAX:
        return None
    bare = _bare(code)
    if not bare.isascii():
        return None
    return _spend_step(factor, bare, now) or _spend_recovery_code(factor, bare)


def provisioning_uri(factor: SecondFactor, host: str) -> str:
    """The `otpauth:` address that an authenticator app reads as a QR code; it holds the secret."""
    return TOTP(factor.secret).provisioning_uri(name=host, issuer_name=ISSUER)


def to_json(factor: SecondFactor) -> str:
    return json.dumps(asdict(factor))


def from_json(text: str | bytes) -> SecondFactor:
    """Reads what `to_json` wrote.

    Raises:
        ValueError: Anything in it is missing, unknown or unsound; the message holds no part of it.
    """
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the second factor is not kept as JSON") from None
    if not isinstance(kept, dict) or set(kept) != {each.name for each in fields(SecondFactor)}:
        raise ValueError("the second factor has missing or unknown fields")
    if reason := _reason_against(**kept):
        raise ValueError(f"the second factor's {reason}")
    return SecondFactor(kept["secret"], kept["last_step"], tuple(kept["recovery_hashes"]))


def read_second_factor(path: Path) -> SecondFactor | None:
    """What is kept; None where there is nothing, or nothing that is sound."""
    try:
        return from_json(read_untrusted(path))
    except (OSError, ValueError):
        return None


def _reason_against(secret: object, last_step: object, recovery_hashes: object) -> str | None:
    if not _matches(_SECRET, secret):
        return "secret is not 32 characters of base32"
    if type(last_step) is not int or not 0 <= last_step <= STEP_MAX:  # JSON's true is an int to isinstance
        return "last step is not a whole number of steps since 1970"
    if not isinstance(recovery_hashes, list) or not all(_matches(_HASH, each) for each in recovery_hashes):
        return "recovery codes are not a list of SHA-256 hashes"
    if len(recovery_hashes) > RECOVERY_CODES or len(recovery_hashes) != len(set(recovery_hashes)):
        return f"recovery codes are more than {RECOVERY_CODES}, or not all different"
    return None


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _spend_step(factor: SecondFactor, bare: str, now: datetime) -> SecondFactor | None:
    phone = TOTP(factor.secret)
    step_now = phone.timecode(now)
    for step in range(max(step_now - DRIFT_STEPS, factor.last_step + 1), step_now + DRIFT_STEPS + 1):
        if compare_digest(phone.generate_otp(step), bare):
            return replace(factor, last_step=step)
    return None


def _spend_recovery_code(factor: SecondFactor, bare: str) -> SecondFactor | None:
    hashed = _hash(bare)
    left = tuple(each for each in factor.recovery_hashes if not compare_digest(each, hashed))
    return replace(factor, recovery_hashes=left) if len(left) < len(factor.recovery_hashes) else None


def _bare(code: str) -> str:
    return _SEPARATORS.sub("", code).lower()


def _hash(bare: str) -> str:
    return sha256(bare.encode()).hexdigest()
