"""Clients: a header is believed as far as trusted proxies vouch for it, and nothing that is sent can raise."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.settings.clients import HOPS_MAX, UNKNOWN, client_address, client_group, parse_networks
from entrypoint.strangers.limiter import DEVICE

PROXIES = parse_networks("10.0.0.0/8, fd00::/8")
PROXY = "10.0.0.1"
STRANGER = "203.0.113.7"

addresses = st.ip_addresses().map(str)
strangers = addresses.filter(lambda text: not any(ip_address(text) in network for network in PROXIES))
proxies = st.ip_addresses(network="10.0.0.0/8").map(str) | st.ip_addresses(network="fd00::/8").map(str)
entries = (
    st.text(max_size=30) | addresses | proxies | st.sampled_from(["unknown", "[", "]", ":", "%", "::ffff:", "[::1]:"])
)
headers = st.none() | st.text() | st.lists(entries, max_size=30).map(",".join)


def canonical(text: str) -> str:
    return client_address(text, None, ())


@pytest.mark.parametrize(
    ("peer", "group"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", UNKNOWN),
        ("/run/server.sock", UNKNOWN),
        ("device:phone", UNKNOWN),
        ("203.0.113.٧", UNKNOWN),
    ],
)
def test_a_peer_is_grouped_with_what_one_person_can_have(peer: str, group: str) -> None:
    assert client_group(peer, None, ()) == group


def test_the_log_shows_the_full_address() -> None:
    assert client_address("2001:DB8:1:2:3:4:5:6%eth0", None, ()) == "2001:db8:1:2:3:4:5:6"
    assert client_address("::ffff:203.0.113.7", None, ()) == "203.0.113.7"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (None, PROXY),
        ("", PROXY),
        (STRANGER, STRANGER),
        (f"  {STRANGER}\t", STRANGER),
        (f"198.51.100.1, {STRANGER}", STRANGER),
        (f"{STRANGER}, 10.1.1.1, fd00::5", STRANGER),
        (f"{STRANGER}, ::ffff:10.1.1.1", STRANGER),
        (f"{STRANGER}:51234", STRANGER),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        (f"{STRANGER}, unknown", PROXY),
        (f"{STRANGER}, unknown, 10.1.1.1", "10.1.1.1"),
        (f"{STRANGER},", PROXY),
        (f"{STRANGER}, 10.1.1.999", PROXY),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
    ],
)
def test_a_trusted_proxy_is_believed_as_far_as_its_entries_go(header: str | None, address: str) -> None:
    assert client_address(PROXY, header, PROXIES) == address


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    hops = [STRANGER] + [f"10.0.0.{number}" for number in range(200, 0, -1)]
    assert client_address(PROXY, ",".join(hops), PROXIES) == f"10.0.0.{HOPS_MAX}"
    assert client_address(PROXY, ",".join([STRANGER, *hops[-HOPS_MAX:]]), PROXIES) == f"10.0.0.{HOPS_MAX}"
    assert client_address(PROXY, ",".join(hops[-HOPS_MAX + 1 :]), PROXIES) == f"10.0.0.{HOPS_MAX - 1}"
    assert client_address(PROXY, ",".join([STRANGER, *hops[-HOPS_MAX + 1 :]]), PROXIES) == STRANGER


@given(st.text() | addresses | proxies, headers)
def test_anything_that_is_sent_is_an_address_or_unknown(peer: str, header: str | None) -> None:
    address, group = client_address(peer, header, PROXIES), client_group(peer, header, PROXIES)
    assert (address == UNKNOWN) == (group == UNKNOWN)
    assert not group.startswith(DEVICE)
    if address != UNKNOWN:
        assert ip_address(address) in ip_network(group)


@given(strangers, headers)
def test_an_untrusted_peer_is_itself_whatever_it_claims(peer: str, header: str | None) -> None:
    assert client_address(peer, header, PROXIES) == canonical(peer)
    assert client_group(peer, header, PROXIES) == client_group(peer, None, ())


@given(addresses, headers)
def test_without_trusted_proxies_no_header_counts(peer: str, header: str | None) -> None:
    assert client_address(peer, header, ()) == canonical(peer)


@given(headers, strangers, st.lists(proxies, max_size=HOPS_MAX - 1), proxies)
def test_a_client_cannot_pretend_to_be_another(claim: str | None, client: str, hops: list[str], peer: str) -> None:
    header = ",".join([claim or "", client, *hops])
    assert client_address(peer, header, PROXIES) == canonical(client)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_addresses_of_an_ipv6_customer_are_one_client(first: int, second: int) -> None:
    network = int(ip_address("2001:db8:1:2::"))
    groups = {client_group(str(ip_address(network + host)), None, ()) for host in (first, second)}
    assert groups == {"2001:db8:1:2::/64"}


def test_ipv6_customers_next_to_each_other_are_two_clients() -> None:
    assert client_group("2001:db8:1:2::1", None, ()) != client_group("2001:db8:1:3::1", None, ())


def test_networks_are_read_with_their_spellings() -> None:
    text = " 10.0.0.7/8,,192.0.2.1 , ::ffff:172.18.0.1, ::ffff:172.18.0.0/112, fd00::/8,"
    networks = ["10.0.0.0/8", "192.0.2.1/32", "172.18.0.1/32", "172.18.0.0/16", "fd00::/8"]
    assert [str(network) for network in parse_networks(text)] == networks


def test_no_text_trusts_nobody() -> None:
    assert parse_networks(" , ") == ()


@pytest.mark.parametrize("part", ["proxy", "10.0.0.0/33", "10.0.0", "10.0.0.0/8/8", "[fd00::1]", "١٠.0.0.1"])
def test_a_bad_network_is_named(part: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address or network") as error:
        parse_networks(f"10.0.0.1,{part},192.0.2.1")
    assert str(error.value).startswith(f"'{part}' ")


@pytest.mark.parametrize("part", ["0.0.0.0/0", "::/0", "203.0.113.7/0", "::ffff:0:0/96"])
def test_trusting_everybody_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="stands for every address") as error:
        parse_networks(part)
    assert str(error.value).startswith(f"'{part}' ")


def test_a_long_mistake_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"x\.\.\.' is not") as error:
        parse_networks("x" * 5000)
    assert len(str(error.value)) < 150


@given(st.text() | st.lists(entries, max_size=5).map(",".join))
def test_any_text_is_read_as_networks_or_refused(text: str) -> None:
    try:
        networks = parse_networks(text)
    except ValueError as error:
        assert str(error).startswith("'")
    else:
        assert all(network.prefixlen > 0 for network in networks)
        assert parse_networks(",".join(map(str, networks))) == networks
