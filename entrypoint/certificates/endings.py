"""What comes to its end and isn't renewed by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from entrypoint.certificates.authority import Authority
from entrypoint.certificates.serving import OWN, Source

OWN_ENDING, AUTHORITY_ENDING = timedelta(days=14), timedelta(days=365)


def endings(authority: Authority, sources: Iterable[Source], now: datetime) -> Iterator[str]:
    """Each with what to do in a second line."""
    for source in sources:
        left = source.certificate.last_day - now
        if source.kind == OWN and left < OWN_ENDING:
            yield (
                f"Your own certificate ends in {left.days} days, on {source.certificate.last_day:%Y-%m-%d}.\n"
                "Put its successor in the place of CERTIFICATE_FILE and KEY_FILE: that is noticed within a minute."
            )
    end = authority.certificate.not_valid_after_utc
    # Time to think of every device that trusts the authority.
    if end - now < AUTHORITY_ENDING:
        yield (
            f"The private authority ends on {end:%Y-%m-%d}; then a new one is made, which every device has to trust.\n"
            "At a time that suits you: docker compose exec workhorse workhorse new-authority"
        )
