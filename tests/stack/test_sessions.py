"""What follows a login: cookies with an end, sign-out at once, and a list of who came; kernels run on whatever ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS, WRONG, is_signed_out, visitor
from tests.stacks import Stack, new_stack, poll, running

MakeStack = Callable[..., Stack]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"JUPYTER_PASSWORD": PASSWORD, "TRUSTED_PROXIES": DOCKER_NETWORKS, "SESSION_DAYS": "3"}
    with running(new_stack(tmp_path_factory.mktemp("sessions"), **settings)) as stack:
        yield stack


def cookies_of(client: Client, password: str = PASSWORD) -> dict[str, tuple[Morsel[str], float]]:
    """The cookies that a login sets, and for how many days from then on."""
    response = client.login(password)
    assert response.status_code == 302
    now = parsedate_to_datetime(response.headers["Date"])
    cookies: dict[str, tuple[Morsel[str], float]] = {}
    # http.client joins the headers by commas, which dates hold too.
    for text in response.raw.headers.getlist("Set-Cookie"):
        for name, morsel in SimpleCookie(text).items():
            end = morsel["expires"]
            cookies[name] = (morsel, (parsedate_to_datetime(end) - now).total_seconds() / 86_400 if end else 0)
    return cookies


def test_cookies_are_out_of_reach_of_scripts_plain_http_and_other_sites(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client:
        cookies = cookies_of(client)
    assert {name.split("-")[0] for name in cookies} == {"username", "workhorse"}
    for morsel, _ in cookies.values():
        assert morsel["secure"]
        assert morsel["httponly"]
        assert morsel["samesite"] == "Lax"
        assert morsel["path"] == "/"
        assert not morsel["domain"]


def test_the_token_against_forgery_is_out_of_reach_of_plain_http_and_other_sites(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client:
        answer = client.session.get(f"{stack.url}/login", timeout=30)
        token = SimpleCookie(answer.headers["Set-Cookie"])["_xsrf"]
    assert token["secure"]
    assert token["samesite"] == "Lax"
    assert token["path"] == "/"
    # JupyterLab's own scripts send it back.
    assert not token["httponly"]


def test_a_login_lasts_for_session_days_and_a_device_is_known_for_longer(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client:
        days = {name.split("-")[0]: days for name, (_, days) in cookies_of(client).items()}
    assert days == {"username": pytest.approx(3, abs=0.01), "workhorse": pytest.approx(400, abs=0.01)}


def test_the_server_itself_ends_a_login_after_session_days(stack: Stack, authority: Path) -> None:
    """A browser may keep a cookie for as long as it likes."""
    with visitor(stack, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        name = next(each.name for each in client.session.cookies if each.name.startswith("username"))
        for days, status in ((2.9, 200), (3.1, 403)):
            client.session.cookies.clear()
            client.session.cookies.set(name, cookie_of_days_ago(stack, name, days))
            assert client.session.get(f"{stack.url}/api/status", timeout=30).status_code == status


def cookie_of_days_ago(stack: Stack, name: str, days: float) -> str:
    """The cookie of a login some days ago, signed with the server's own secret, which only its user can read."""
    script = f"""
import hashlib, hmac, json, time
from tornado.web import create_signed_value
from entrypoint.files.places import Places
places = Places()
mixed = hmac.new(places.cookie_secret.read_bytes(), digestmod=hashlib.sha256)
mixed.update(b"")
mixed.update(places.password_hash.read_text().strip().encode())
user = json.dumps(dict(username="u", name="n", display_name="n", initials="n", color=None, avatar_url=None))
then = lambda: time.time() - {days} * 86400
print(create_signed_value(mixed.digest(), "{name}", user, clock=then).decode())
"""
    return stack.door_shell(f"/opt/server/bin/python -I - <<'END'\n{script}\nEND", user="1000").strip()


def is_closed(kernel: Kernel) -> bool | None:
    """Reads what is left in a websocket up to its end."""
    try:
        kernel.socket.settimeout(0.2)
        kernel.socket.recv()
    except websocket.WebSocketTimeoutException:
        return None
    except (websocket.WebSocketConnectionClosedException, OSError):
        return True
    return None


def test_sign_out_ends_every_session_and_websocket_while_kernels_run_on(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as phone, visitor(stack, authority) as client:
        assert phone.login(PASSWORD).status_code == 302
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        assert kernel.run("x = 42; print('kept')") == "kept\n"
        stack.workhorse("sign-out")
        poll(lambda: is_closed(kernel), 5, "the websocket's end")
        poll(lambda: is_signed_out(client), 5, "the sign-out")
        poll(lambda: is_signed_out(phone), 5, "the other's sign-out")
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            Kernel(client, kernel.id)
        assert client.login(PASSWORD).status_code == 302
        again = Kernel(client, kernel.id)
        assert again.run("print(x)") == "42\n"
        again.shut_down()


def test_sign_out_of_a_restarted_server_stays(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        stack.workhorse("sign-out")
        poll(lambda: is_signed_out(client), 5, "the sign-out")
        stack.compose("restart", "-t", "5", "workhorse")
        stack.up()
        assert not client.is_logged_in()


def test_a_device_is_signed_out_by_another_in_the_server_s_page_and_stays_so(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority, "203.0.113.9") as phone, visitor(stack, authority, "203.0.113.10") as own:
        assert phone.login(PASSWORD).status_code == 302
        assert own.login(PASSWORD).status_code == 302
        kernel = phone.start_kernel()
        page = own.session.get(f"{stack.url}/server", timeout=60).text
        # What it asks of the rest of the server.
        for told in (stack.url, "until 20", "1 running", "GiB free of", "Last backup: none yet"):
            assert told in page
        assert "a password as its only lock" not in page, "it listens to this machine alone"
        found = re.search(r'value="(\w+)">\s*<button class="small" aria-label="Sign out [^"]*203.0.113.9"', page)
        assert found
        form = {"login": found[1], "_xsrf": own.session.cookies["_xsrf"]}
        assert own.session.post(f"{stack.url}/server/sign-out", data=form, timeout=60).status_code == 200
        poll(lambda: is_closed(kernel), 5, "the websocket's end")
        assert is_signed_out(phone)
        stack.compose("restart", "-t", "5", "workhorse")
        stack.up()
        assert own.is_logged_in()
        assert is_signed_out(phone)
        own.api("DELETE", f"kernels/{kernel.id}")


def test_a_new_password_counts_at_once_and_logs_everyone_out(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    old, authority = stack.generated_password(), stack.authority()
    with visitor(stack, authority) as client, visitor(stack, authority) as other:
        assert client.login(old).status_code == 302
        kernel = client.start_kernel()
        assert kernel.run("x = 42; print('kept')") == "kept\n"
        found = re.search(r"shown this once: (\S+)", stack.workhorse("reset-password"))
        assert found
        poll(lambda: is_closed(kernel), 5, "the websocket's end")
        poll(lambda: is_signed_out(client), 5, "the sign-out")
        assert other.login(old).status_code == 401
        assert client.login(found[1]).status_code == 302
        stack.compose("restart", "-t", "5", "workhorse")
        stack.up()
        assert client.is_logged_in()
        again = Kernel(client, kernel.id)
        assert again.run("print(x)") == "42\n"
        again.shut_down()


def come(stack: Stack, authority: Path, address: str, password: str, agent: str) -> Any:
    """One visit, and what JupyterLab would tell that visitor about the login before."""
    with visitor(stack, authority, address) as client:
        client.session.headers["User-Agent"] = agent
        if client.login(password).status_code == 302:
            return client.session.get(f"{stack.url}/lab/api/news", timeout=30).json()["news"]
    return None


def test_who_logs_in_is_told_of_the_login_before_and_the_guesses_since(stack: Stack, authority: Path) -> None:
    come(stack, authority, "203.0.113.20", PASSWORD, FIREFOX)
    for _ in range(2):
        come(stack, authority, "203.0.113.21", WRONG, "curl/8.5.0")
    come(stack, authority, "2001:db8::5", WRONG, "<script>alert(1)</script>")
    told = come(stack, authority, "203.0.113.22", PASSWORD, FIREFOX)
    assert "from 203.0.113.20 (Firefox on Linux)" in str(told)
    assert "Wrong passwords since: 3." in str(told)
    told = come(stack, authority, "203.0.113.23", PASSWORD, FIREFOX)
    assert "from 203.0.113.22" in str(told)
    assert "Wrong" not in str(told)


def test_the_list_of_logins_holds_time_address_browser_and_outcome(stack: Stack, authority: Path) -> None:
    come(stack, authority, "203.0.113.30", PASSWORD, FIREFOX)
    for _ in range(2):
        come(stack, authority, "203.0.113.31", WRONG, "<b>curl</b>")
    code = "from entrypoint.files.places import Places as P; from entrypoint.login.logins import read_logins as r; "
    code += "print(*(each.line for each in r(P().logins)), sep='\\\\n')"
    lines = stack.door_shell(f'/opt/server/bin/python -I -c "{code}"').splitlines()
    time = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    assert re.fullmatch(rf"{time}  logged in, from 203\.0\.113\.30 \(Firefox on Linux\)", lines[-2])
    assert re.fullmatch(rf"{time}  wrong password, 2 times, from 203\.0\.113\.31 \(unknown browser\)", lines[-1])
    assert stack.door_shell("stat -c %a /var/lib/workhorse/logins.json") == "600\n"


def test_the_status_shows_a_login_behind_a_flood_of_guesses(stack: Stack, authority: Path) -> None:
    come(stack, authority, "203.0.113.40", PASSWORD, FIREFOX)
    addresses = [f"198.51.100.{number}" for number in range(12)]
    for address in addresses:
        come(stack, authority, address, WRONG, "curl/8.5.0")
    door = stack.workhorse("status").split("Logins", 1)[1].splitlines()
    assert any("logged in, from 203.0.113.40 (Firefox on Linux)" in line for line in door)
    assert [line.split("from ")[1] for line in door if "wrong password, from 198" in line] == [
        f"{address} (curl)" for address in addresses[-4:]
    ]
