"""What the door goes by, apart from it: the start writes it down, and needs no server for that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lock:
    """What of the settings says who may come in.

    Args:
        session_days: For how many a login lasts.
        second_factor: Whether a code is asked for besides the password.
        trusted_proxies: Addresses and networks whose X-Forwarded-For counts.
    """

    session_days: int
    second_factor: bool
    trusted_proxies: str
