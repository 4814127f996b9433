"""Which client a request counts for: its own address, or the one that a trusted proxy vouches for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
# Far more proxies than stand in a row anywhere; what a stranger puts further left is not even read.
HOPS_MAX = 20
# The smallest network that one IPv6 customer gets (RFC 6177), with 2 ** 64 addresses to guess from.
IPV6_GROUP_BITS = 64


def client_group(peer: str, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str:
    """The addresses that share one budget of guesses: an IPv4 address, or an IPv6 network such as `2001:db8::/64`.

    Args:
        peer: The address that the connection comes from.
        forwarded_for: The X-Forwarded-For header, several of them joined by commas; None where there is none.
        trusted: Where one's own proxies are; from anywhere else the header is a mere claim.

    Returns:
        `unknown` for a peer that is no IP address, for instance on a Unix socket.
    """
    address = _client(peer, forwarded_for, trusted)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_GROUP_BITS), strict=False))
    return str(address or UNKNOWN)


def client_address(peer: str, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str:
    """The full address, for the log of logins; the arguments are those of `client_group`."""
    return str(_client(peer, forwarded_for, trusted) or UNKNOWN)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Reads comma-separated addresses and networks; `10.0.0.7/8` is the network that 10.0.0.7 lies in.

    Raises:
        ValueError: Names the first part that is neither, or that would trust everybody.
    """
    return tuple(_network(part) for part in map(str.strip, text.split(",")) if part)


def _client(peer: str, forwarded_for: str | None, trusted: tuple[Network, ...]) -> Address | None:
    """Each proxy adds its own peer on the right, so an entry is as good as the hop to the right of it."""
    address = _address(peer)
    entries = reversed((forwarded_for or "").rsplit(",", HOPS_MAX))
    for entry in islice(entries, HOPS_MAX):
        if address is None or not any(address in network for network in trusted):
            break
        hop = _address(entry)
        if hop is None:
            break
        address = hop
    return address


def _address(text: str) -> Address | None:
    """Reads `192.0.2.1` and `2001:db8::1`, and the forms with a port that some proxies write."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _network(text: str) -> Network:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    try:
        network = _unmapped(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"'{shown}' is not an IP address or network") from None
    if network.prefixlen == 0:
        raise ValueError(f"'{shown}' stands for every address, so that anybody could claim to be anybody")
    return network


def _unmapped(network: Network) -> Network:
    """`::ffff:172.18.0.1` is how a log of a dual-stack server shows 172.18.0.1."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and (mapped := network[0].ipv4_mapped):
        return IPv4Network((mapped, network.prefixlen - 96))
    return network
