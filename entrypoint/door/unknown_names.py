"""Notices by which names people come, and says which line adds one that no certificate holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from entrypoint.settings.names import LOCAL_NAMES, ServerName, reason_against
from entrypoint.strangers.behalf import in_own_name

UNKNOWN_NAMES_MAX = 8


class UnknownNames:
    """The names that have been told, each once.

    Args:
        names: Those of SERVER_NAMES.
        is_covered: Whether a certificate besides the private authority's holds a name.
    """

    def __init__(self, names: Sequence[str], is_covered: Callable[[str], bool], log: logging.Logger) -> None:
        self.names, self.is_covered, self.log = tuple(names), is_covered, log
        self.known = {*names, *(name.text for name in LOCAL_NAMES)}
        self.known_max = len(self.known) + UNKNOWN_NAMES_MAX

    def meet(self, host: str) -> None:
        """To be told by which name a logged-in person comes; a stranger may say any."""
        if len(self.known) < self.known_max and host not in self.known and not self.is_covered(host.lower()):
            # Whoever logs in was a stranger a moment ago, and that request still is one's.
            in_own_name(self._tell_once, host)

    def _tell_once(self, host: str) -> None:
        if reason_against(host) or (name := ServerName.parse(host).text) in self.known:
            return
        self.known.add(name)
        self.log.warning(
            "You came by the name %s, which the certificate doesn't hold, so browsers warn. Put this line into .env, "
            "then run docker compose up -d: SERVER_NAMES=%s",
            name,
            ",".join((*self.names, name)),
        )
