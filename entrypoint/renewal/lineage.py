"""What certbot keeps for one name, its lineage: set aside where it is damaged, for certbot starts another beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entrypoint.certificates.served import ServedCertificate, read_pair
from entrypoint.files.private import set_aside
from entrypoint.files.untrusted import read_linked, read_untrusted

PARTS = ("cert", "privkey", "chain", "fullchain")


@dataclass(frozen=True)
class Lineage:
    """One name's certificates in certbot's folder: the newest in `live`, by links to all of them in `archive`."""

    home: Path
    name: str

    @property
    def _live(self) -> Path:
        return self.home / "live" / self.name

    @property
    def _settings(self) -> Path:
        return self.home / "renewal" / f"{self.name}.conf"

    @property
    def _places(self) -> Iterator[Path]:
        yield from (self._live, self.home / "archive" / self.name, self._settings)

    def newest(self) -> ServedCertificate | None:
        # The full chain, since phones refuse a certificate without what lies between it and the root.
        try:
            return read_pair(self._read("fullchain"), self._read("privkey"))
        except (OSError, ValueError):
            return None

    def _read(self, part: str) -> bytes:
        return read_linked(self._live / f"{part}.pem")

    def set_aside_if_damaged(self) -> None:
        """Lets certbot begin anew instead of leaving it to obtain NAME-0001, -0002 ... at every attempt."""
        if any(place.exists() for place in self._places) and not self._is_sound():
            for place in self._places:
                set_aside(place)

    def _is_sound(self) -> bool:
        newest, links = self.newest(), [self._live / f"{part}.pem" for part in PARTS]
        try:
            settings = read_untrusted(self._settings).decode()
            leaf = self._read("cert")
        except (OSError, ValueError):
            return False
        names_all = all(f" = {link}\n" in settings for link in links)
        is_same = newest is not None and leaf.strip() == newest.leaf_pem.strip()
        return is_same and names_all and all(link.is_symlink() and link.exists() for link in links)
