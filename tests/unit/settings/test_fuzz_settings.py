"""Whatever stands in `.env` or in the state volume: one clear error or none, and never the password in it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entrypoint.certificates.authority import load_authority
from entrypoint.certificates.sharing import is_shared
from entrypoint.door.config import for_the_server
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import write_private
from entrypoint.jupyter.config import personal_config
from entrypoint.login.logins import Login, added, as_kept, browser_name, last_before_this, read_logins
from entrypoint.login.password import is_hash, verifies
from entrypoint.login.second_factor import check, from_json, to_json
from entrypoint.report.status import read_report
from entrypoint.settings.names import ServerName, public_names, reason_against
from entrypoint.settings.settings import Settings, from_environ, variable_names

T = TypeVar("T")
SIGN = "☃"
NOW = datetime(2026, 11, 25, tzinfo=UTC)

texts = st.text(st.characters(exclude_characters=SIGN, exclude_categories=["Cs"]), max_size=40)
plausible = st.sampled_from(
    [
        "", " ", "on", "OFF", "0", "1", "8888", "65536", "-1", "٣", "²", "1e3", "400", "::", "[::1]", "256.1.1.1",
        "localhost", "lab.example.org,10.0.0.7", "lab.example.org,,", "a..b", "xn--", "xn--a", "*.x.org", "https://x",
        "x.org:8888", "ß.de", "İ.com", "١.٢.٣.٤", "10.0.0.0/33", "::/0", "0.0.0.0/0", "fe80::1%eth0", "64g", "9" * 4000,
        "../x", "/etc/shadow", "a/../../b", "a@b.c", "@", "https://", "https://x/y", "https://x y", "\x00", "a\nb",
    ]
)  # fmt: skip
values = texts | plausible | st.lists(plausible, max_size=4).map(",".join)
environs = st.dictionaries(st.sampled_from(variable_names()), values)
passwords = st.text(st.characters(exclude_categories=["Cs"]), max_size=1100).map(lambda text: SIGN + text + SIGN)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
jsons = st.recursive(scalars, lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=9), each))
DEEP = ("[" * 20_000, '{"a":' * 10_000, "[" * 5000 + "]" * 5000)


def file_contents(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """What a damaged file may hold: noise, other JSON, or nearly what it should."""
    whole = likely.map(lambda value: json.dumps(value).encode())
    cut = st.tuples(whole, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    noise = st.binary(max_size=200) | jsons.map(lambda value: json.dumps(value).encode())
    return whole | cut | noise | st.sampled_from(DEEP).map(str.encode)


def read_back(read: Callable[[Path], T], content: bytes) -> T:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        return read(path)


def judge(environ: dict[str, str], in_file: str = "") -> Settings | None:
    """Reads settings as the start does; all that may go wrong is one WorkhorseError, without the password."""
    try:
        return from_environ(environ, lambda _: in_file.encode(errors="surrogatepass"))
    except WorkhorseError as error:
        assert SIGN not in str(error) + repr(error)
        for problem in error.problems:
            assert problem.what
            assert problem.remedy
        return None


@settings(max_examples=400)
@given(environs, passwords)
def test_any_environment_is_read_or_refused_in_one_error(environ: dict[str, str], password: str) -> None:
    found = judge({**environ, "JUPYTER_PASSWORD": password}) or judge({**environ, "JUPYTER_PASSWORD": ""}, password)
    if found:
        assert SIGN not in repr(found)
        assert SIGN not in json.dumps(for_the_server(found))
        assert 1 <= found.port <= 65535
        assert 1 <= found.session_days <= 400


@settings(max_examples=100)
@given(st.sampled_from(variable_names()), values)
def test_each_setting_alone_is_read_or_refused_by_its_name(name: str, value: str) -> None:
    try:
        from_environ({name: value}, lambda _: b"four words of mine")
    except WorkhorseError as error:
        assert all(name.removesuffix("_FILE") in str(problem) for problem in error.problems)


@pytest.mark.parametrize("name", ["PORT", "SESSION_DAYS", "SYNC_PORT"])
def test_a_number_of_any_length_is_refused(name: str) -> None:
    assert judge({name: "9" * 5000}) is None


@given(passwords, st.sampled_from(["password", "file"]))
def test_no_complaint_about_a_password_holds_it(password: str, place: str) -> None:
    environ = {"JUPYTER_PASSWORD": password} if place == "password" else {"JUPYTER_PASSWORD_FILE": "/run/x"}
    found = judge({**environ, "PORT": "none"}, password)
    assert found is None


@settings(max_examples=400)
@given(values)
@example("xn--\u0661.\u0662")
def test_a_name_is_refused_with_a_reason_or_has_one_canonical_form(text: str) -> None:
    if reason_against(text) or "%" in text:
        return
    name = ServerName.parse(text)
    assert name.text.isascii()
    assert name.text == name.text.lower()
    assert reason_against(name.text) is None
    assert ServerName.parse(name.text) == name
    assert set(public_names((name,))) <= {name}


@pytest.mark.parametrize("text", ["fe80::1%eth0", "1::%\x80"])
def test_a_zone_is_no_part_of_a_name(text: str) -> None:
    assert reason_against(text)


hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
factors = st.fixed_dictionaries(
    {
        "secret": st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=31, max_size=33) | scalars,
        "last_step": st.integers(-1, 2**40) | scalars,
        "recovery_hashes": st.lists(hashes | scalars, max_size=11) | scalars,
    }
)


@settings(max_examples=300)
@given(file_contents(factors), st.text(max_size=120))
def test_a_second_factor_is_sound_or_refused(content: bytes, code: str) -> None:
    """Whatever is read from the file can be checked against and written back: no login fails in between."""
    try:
        factor = from_json(content)
    except ValueError as error:
        assert not isinstance(error.__cause__, ValueError)
        return
    assert from_json(to_json(factor)) == factor
    assert check(factor, code, NOW) is None


logins = st.fixed_dictionaries(
    {
        "time": st.datetimes().map(datetime.isoformat) | scalars,
        "address": st.ip_addresses().map(str) | scalars,
        "browser": st.text(max_size=9) | scalars,
        "success": st.booleans() | scalars,
    },
    optional={"count": st.integers() | scalars, "more": scalars},
)


@settings(max_examples=400)
@given(file_contents(st.lists(logins, max_size=5)))
@example(DEEP[0].encode())
def test_any_list_of_logins_can_be_shown_and_added_to(content: bytes) -> None:
    kept = read_back(read_logins, content)
    for success in (False, True, True):
        kept = added(kept, Login(NOW.isoformat(), "203.0.113.1", "curl", success))
    assert kept[-1].line
    assert "\n" not in "".join(each.line for each in kept)
    assert last_before_this(kept)
    assert last_before_this(kept[:-1]) is None or kept[:-2]
    with tempfile.TemporaryDirectory() as folder:
        write_private(Path(folder) / "logins", as_kept(kept))
        assert read_logins(Path(folder) / "logins") == kept


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["203.0.113.1", "203.0.113.2"])), max_size=300))
def test_the_list_of_logins_is_bounded_and_no_guess_pushes_a_login_out(visits: list[tuple[bool, str]]) -> None:
    kept: list[Login] = []
    for number, (success, address) in enumerate(visits):
        kept = added(kept, Login(f"{number:019}", address, "curl", success))
    assert len(kept) <= 100
    successes = [f"{number:019}" for number, (success, _) in enumerate(visits) if success]
    assert [each.time for each in kept if each.success] == successes[-100:]


@given(st.text(max_size=300))
def test_a_browser_s_name_holds_nothing_of_its_sender_s_choice(agent: str) -> None:
    words = "Edge Opera Firefox Chrome Safari iPhone iPad Android Windows Mac CrOS Linux on unknown browser curl Wget"
    assert set(browser_name(agent).split()) <= {*words.split(), "python-requests"}


@given(file_contents(jsons))
@example(DEEP[0].encode())
def test_any_report_on_certificates_is_read_or_left_out(content: bytes) -> None:
    assert isinstance(read_back(read_report, content), tuple)


@given(file_contents(st.dictionaries(st.sampled_from(["ServerApp", "Door", "x"]), jsons)))
@example(DEEP[1].encode())
@example(b'{"ServerApp": 5}')
@example(b'{"ServerApp": {"a": 1}, "Door": [1]}')
def test_any_personal_configuration_is_merged_or_named(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ".jupyter/jupyter_server_config.d/mine.json"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        config, unreadable = personal_config(Path(folder))
    assert all(isinstance(section, dict) for section in config.values())
    assert not unreadable or "mine.json" in unreadable[0]


@given(st.binary(max_size=400) | st.floats().map(lambda number: str(number).encode()))
@example(b"inf")
@example(b"nan")
def test_no_damage_opens_the_trust_page_for_longer(content: bytes) -> None:
    # 600 seconds from now are what a sound file may say at the most; these are not written now.
    assert not read_back(is_shared, content) or float(content) > 0


ascii_characters = st.characters(codec="ascii")  # as which the file is read


@given(
    st.text(ascii_characters, max_size=200)
    | st.text(ascii_characters, max_size=60).map(lambda text: f"argon2:$argon2id$v=19$m=10240,t=10,p=8${text}")
)
def test_a_damaged_hash_opens_to_nobody(text: str) -> None:
    assert not (is_hash(text) and verifies(text, "any password"))


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 99])
def test_a_damaged_authority_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_authority(content)
