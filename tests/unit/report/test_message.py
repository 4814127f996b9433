"""What a person reads at the end of the start and by `workhorse status`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entrypoint.certificates.authority import make_authority
from entrypoint.report.message import Status, message
from entrypoint.settings.names import LOCAL_NAMES
from entrypoint.settings.settings import from_environ

AUTHORITY = make_authority(LOCAL_NAMES, datetime(2026, 11, 25, tzinfo=UTC))


def lines(environ: dict[str, str], has_password: bool = True, generated: str | None = None) -> list[str]:
    settings = from_environ({"PORT": "9999", **environ})
    return message(Status(settings, has_password, AUTHORITY, (), generated_password=generated)).splitlines()


def addresses(**environ: str) -> list[str]:
    return [word for line in lines(environ) for word in line.split() if word.startswith("https://")]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "[::]"])  # noqa: S104  # as in .env
def test_a_server_that_listens_everywhere_shows_its_names_and_this_machine(address: str) -> None:
    shown = addresses(BIND_ADDRESS=address, SERVER_NAMES="lab.example.org,[fd00::1]")
    assert shown == ["https://lab.example.org:9999", "https://[fd00::1]:9999", "https://localhost:9999"]
    assert addresses(BIND_ADDRESS=address) == ["https://localhost:9999", "https://THIS-MACHINES-NAME:9999"]


@pytest.mark.parametrize(
    ("address", "shown"), [("192.168.1.20", "192.168.1.20"), ("[FD00::1]", "[fd00::1]"), ("fd00::1", "[fd00::1]")]
)
def test_a_server_that_listens_on_one_address_shows_that_and_not_this_machine(address: str, shown: str) -> None:
    assert addresses(BIND_ADDRESS=address) == [f"https://{shown}:9999"]
    both = ["https://lab.example.org:9999", f"https://{shown}:9999"]
    assert addresses(BIND_ADDRESS=address, SERVER_NAMES="lab.example.org") == both
    assert addresses(BIND_ADDRESS=address, SERVER_NAMES=f"{shown},lab.example.org") == both[::-1]
    assert lines({"BIND_ADDRESS": address})[3].startswith("  Open   ")


@pytest.mark.parametrize(("address", "end"), [("127.0.0.1",) * 2, ("127.0.0.2",) * 2, ("::1", "[::1]"), ("[::1]",) * 2])
def test_a_server_that_listens_to_its_machine_alone_shows_the_tunnel_to_it(address: str, end: str) -> None:
    assert any(f"ssh -L 9999:{end}:9999 USER@THIS-MACHINE" in line for line in lines({"BIND_ADDRESS": address}))
    assert addresses(BIND_ADDRESS=address, SERVER_NAMES="lab.example.org") == ["https://localhost:9999"]


def password_line(has_password: bool, generated: str | None = None) -> str:
    return next(line for line in lines({}, has_password, generated) if line.startswith("  Password"))


def test_the_password_is_shown_only_where_it_was_made_up() -> None:
    assert password_line(has_password=False, generated="abcd-efgh").split()[1] == "abcd-efgh"
    assert "as you set it" in password_line(has_password=True)


def test_a_password_that_was_kept_is_called_the_one_from_before() -> None:
    """It was made up at the first start, or stood in .env until it was emptied there."""
    line = password_line(has_password=False)
    assert "the one from before; a new one: docker compose exec workhorse workhorse reset-password" in line
