"""What the door tells the service that syncs: written there, and read at each start of that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Laptop:
    """A device that a person has paired.

    Args:
        id: Syncthing's, in its long form: eight groups of seven letters and digits.
        name: What the person calls it; empty: what it calls itself.
    """

    id: str
    name: str = ""


@dataclass(frozen=True)
class Pairing:
    """Who this server is, and with whom it is in step.

    Args:
        device: Its own device id.
        certificate, key: Its own, in PEM.
        folder: Syncthing's id of the notebooks' folder.
    """

    device: str
    certificate: str
    key: str = field(repr=False)
    folder: str
    laptops: tuple[Laptop, ...] = ()


def to_json(pairing: Pairing) -> str:
    return json.dumps(asdict(pairing))


def from_json(text: str | bytes) -> Pairing:
    """Reads it back.

    Raises:
        ValueError: It is not what `to_json` writes.
    """
    try:
        content = json.loads(text)
        return Pairing(**{**content, "laptops": tuple(Laptop(**each) for each in content["laptops"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"it is not as the door writes it: {error}") from error
