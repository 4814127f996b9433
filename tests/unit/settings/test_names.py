"""Names of servers: their form, what is none, and which of them a public authority may vouch for."""

from __future__ import annotations

import pytest

from entrypoint.settings.names import ServerName, meant, public_names, reason_against

# Each written out: what follows is no copy of the list that it judges.
PRIVATE = [
    "lab.local", "lab.localhost", "lab.localdomain", "lab.home.arpa", "lab.internal", "lab.lan", "lab.home", "lab.corp",
    "lab.test", "lab.example", "lab.invalid", "lab.onion", "a.b.local", "localhost", "lab", "192.168.1.20",
    "203.0.113.9", "2001:db8::1",
]  # fmt: skip
PUBLIC = ["lab.example.org", "lab.mylocal", "local.example.org", "xn--strae-oqa.de", "lab.home.arpa.example.net"]


@pytest.mark.parametrize("name", PRIVATE)
def test_no_public_authority_is_asked_for_a_private_name(name: str) -> None:
    assert public_names((ServerName(name),)) == ()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_authority_may_be_asked_for_a_public_name(name: str) -> None:
    assert public_names((ServerName(name),)) == (ServerName(name),)


@pytest.mark.parametrize(
    ("text", "name", "in_url"),
    [
        (" Lab.Example.ORG. ", "lab.example.org", "lab.example.org"),
        ("straße.de", "xn--strae-oqa.de", "xn--strae-oqa.de"),
        ("[2001:DB8:0::1]", "2001:db8::1", "[2001:db8::1]"),
        ("192.168.1.20", "192.168.1.20", "192.168.1.20"),
        ("a" * 63 + ".de", "a" * 63 + ".de", "a" * 63 + ".de"),
    ],
)
def test_a_name_has_one_form(text: str, name: str, in_url: str) -> None:
    assert reason_against(text) is None
    assert ServerName.parse(text).text == name
    assert ServerName.parse(text).in_url == in_url
    assert (ServerName.parse(text).address is not None) == (in_url[0] in "[1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://lab.example.org", "is a whole address with its scheme"),
        ("HTTPS://lab.example.org", "is a whole address with its scheme"),
        ("lab example", "holds a space"),
        ("*.example.org", "is a wildcard"),
        ("fe80::1%eth0", "has a zone after the %"),
        ("lab.example.org:8888", "ends with a port"),
        ("192.168.1.20:8888", "ends with a port"),
        ("192.168.1.256", "is not a valid IP address"),
        ("1:2", "ends with a port"),
        ("::1::", "is not a valid IP address"),
        ("0.0.0.0", "stands for every address"),  # noqa: S104
        ("::", "stands for every address"),
        ("-lab.org", "is not a valid DNS name"),
        ("lab-.org", "is not a valid DNS name"),
        ("lab..org", "is not a valid DNS name"),
        ("under_score.org", "is not a valid DNS name"),
        ("a" * 64 + ".de", "is not a valid DNS name"),
        ("١٢٣.٤", "is not a valid DNS name"),
        (".".join(["abc"] * 64), "has 255 characters, more than DNS allows (253)"),
    ],
)
def test_what_is_no_name_has_its_reason(text: str, reason: str) -> None:
    assert (reason_against(text) or "none").startswith(reason)


def test_what_was_meant_is_proposed_only_where_all_of_it_is_a_name() -> None:
    assert meant("https://lab.example.org/lab, 192.168.1.20:8888 [::1]:8888;LAB.example.org") == (
        "lab.example.org,192.168.1.20,::1"
    )
    assert meant("https://lab.example.org *.example.org") is None
    assert meant("lab.example.org," * 20) is None
