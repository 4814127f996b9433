"""The names by which a server is reached: DNS names and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

# RFC 1035, section 2.3.4, and RFC 1123, section 2.1; the underscore is not a host name's.
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
NAME_LENGTH_MAX = 253
PROPOSAL_LENGTH_MAX = 200
# RFC 5890: what is not ASCII reaches certificates in its A-label form.
LOOKS_LIKE_AN_ADDRESS = re.compile(r"[0-9.]+|.*:.*")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class ServerName:
    """One name in its canonical form: lower case, A-labels, the shortest form of an address."""

    text: str

    @classmethod
    def parse(cls, text: str) -> ServerName:
        """Canonical form of a name that `reason_against` accepts."""
        bare = text.strip().strip("[]")
        if LOOKS_LIKE_AN_ADDRESS.fullmatch(bare):
            return cls(str(ipaddress.ip_address(bare)))
        return cls(_ascii(bare))

    @property
    def address(self) -> IPAddress | None:
        try:
            return ipaddress.ip_address(self.text)
        except ValueError:
            return None

    @property
    def in_url(self) -> str:
        return f"[{self.text}]" if ":" in self.text else self.text

    def __str__(self) -> str:
        return self.text


LOCAL_NAMES = tuple(map(ServerName, ("localhost", "127.0.0.1", "::1")))


def _ascii(name: str) -> str:
    """Raises UnicodeError where a name is none."""
    name = name.lower().removesuffix(".")
    if name.isascii():
        return name
    import idna  # most servers have no such name

    # As browsers do (UTS 46): Python's own codec is of 2003, when a sharp s was two letters.
    return idna.encode(name, uts46=True).decode("ascii")


def reason_against(text: str) -> str | None:
    """Why a text can't be a server's name in a certificate, as the end of a sentence; None if it can."""
    bare = text.strip().strip("[]")
    if re.match(r"[a-z]+://", bare, re.IGNORECASE):
        return "is a whole address with its scheme; the bare name is wanted"
    if re.search(r"\s", bare):
        return "holds a space; names are separated by commas"
    if "*" in bare:
        return "is a wildcard; list each name"
    if LOOKS_LIKE_AN_ADDRESS.fullmatch(bare):
        return _reason_against_address(bare)
    return _reason_against_dns_name(bare)


def _reason_against_address(text: str) -> str | None:
    if "%" in text:
        return "has a zone after the %, which no certificate can hold; give the address alone"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        is_name_with_port = re.fullmatch(r"[^:]+:\d+", text)
        return "ends with a port; PORT is a setting of its own" if is_name_with_port else "is not a valid IP address"
    return "stands for every address; give the one that you type" if address.is_unspecified else None


def _reason_against_dns_name(text: str) -> str | None:
    if len(text) > NAME_LENGTH_MAX:
        return f"has {len(text)} characters, more than DNS allows ({NAME_LENGTH_MAX})"
    try:
        name = _ascii(text)
    except UnicodeError:
        return "is not a valid DNS name"
    is_number = LOOKS_LIKE_AN_ADDRESS.fullmatch(name)  # from digits that are not ASCII
    if is_number or not all(LABEL.fullmatch(label) for label in name.split(".")):
        return "is not a valid DNS name (letters, digits and hyphens between dots)"
    return None


def meant(text: str) -> str | None:
    """The names that a person may have meant, to propose them: without schemes, ports, paths and spaces.

    Returns:
        None where that leaves something that is no name, or more than can be read at a glance.
    """
    parts = (re.sub(r"^[a-z]+://|/.*", "", part, flags=re.IGNORECASE) for part in re.split(r"[\s,;]+", text))
    bare = [re.sub(r"^([^:]+|\[.*\]):\d+$", r"\1", part) for part in parts if part]
    if len(text) > PROPOSAL_LENGTH_MAX or any(map(reason_against, bare)):
        return None
    return ",".join(dict.fromkeys(ServerName.parse(part).text for part in bare))


# Names that no public authority vouches for (RFC 2606, 6761, 6762, 8375, and what routers and ICANN use).
PRIVATE_ENDINGS = (
    ".local", ".localhost", ".localdomain", ".home.arpa", ".internal", ".lan", ".home", ".corp", ".test", ".example",
    ".invalid", ".onion",
)  # fmt: skip


def public_names(names: tuple[ServerName, ...]) -> tuple[ServerName, ...]:
    """The names that a public authority may vouch for."""
    return tuple(
        name for name in names if not name.address and "." in name.text and not name.text.endswith(PRIVATE_ENDINGS)
    )
