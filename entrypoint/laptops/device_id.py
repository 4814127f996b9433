"""Syncthing's device ids: the hash of a certificate, with check letters, so that a mistyped one is noticed."""

from __future__ import annotations

import base64
import hashlib
import re

# RFC 4648's base32.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# What is read for another letter, which the alphabet leaves out for that.
MISREAD = str.maketrans("018", "OIB")
GROUP, CHECKED = 7, 13


def device_id(certificate: bytes) -> str:
    """Of a certificate in DER (docs.syncthing.net/dev/device-ids)."""
    text = base64.b32encode(hashlib.sha256(certificate).digest()).decode("ascii").rstrip("=")
    return _grouped("".join(part + check_letter(part) for part in _parts(text, CHECKED)))


def parse_device_id(text: str) -> str:
    """The long form of an id as it was typed: with any dashes, spaces and capitals.

    Raises:
        ValueError: Why it is none, as the end of a sentence.
    """
    bare = re.sub(r"[\s-]", "", text).upper().translate(MISREAD)
    if len(bare) != 56 or set(bare) - set(ALPHABET):
        raise ValueError("is not eight groups of seven letters and digits")
    if any(check_letter(part[:CHECKED]) != part[CHECKED] for part in _parts(bare, CHECKED + 1)):
        raise ValueError("has a mistyped letter, by its check letters")
    return _grouped(bare)


def check_letter(part: str) -> str:
    """Luhn's sum over 32 letters (Luhn mod N), as Syncthing takes it: from the left, with factors 1 and 2."""
    total = 0
    for place, letter in enumerate(part):
        addend = ALPHABET.index(letter) * (1 + place % 2)
        total += addend // len(ALPHABET) + addend % len(ALPHABET)
    return ALPHABET[-total % len(ALPHABET)]


def short_id(device: str) -> str:
    """Its first group, by which Syncthing says who changed a file."""
    return device[:GROUP]


def _grouped(bare: str) -> str:
    return "-".join(_parts(bare, GROUP))


def _parts(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]
