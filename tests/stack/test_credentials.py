"""Password hash and cookie secret, replaced or damaged while the server runs: nobody gets in by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests

from entrypoint.login.password import hash_password
from tests.conftest import PASSWORD
from tests.guesses import WRONG, is_signed_out, visitor
from tests.stacks import Stack, poll

MakeStack = Callable[..., Stack]
STATE = "/var/lib/workhorse"
IN_FORCE = "What was served before stays in force."
SIGNED_OUT = "Everyone is signed out."


def assert_closed_to_strangers(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as stranger:
        assert not stranger.is_logged_in()
        assert stranger.session.get(f"{stack.url}/api/contents", timeout=30).status_code == 403
        assert stranger.login(WRONG).status_code == 401
        assert stranger.login("").status_code == 401


@pytest.mark.parametrize("name", ["password-hash", "cookie-secret"])
def test_an_emptied_file_lets_no_stranger_in_and_nobody_out(own_stack: MakeStack, name: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    authority = stack.authority()
    with visitor(stack, authority) as owner, visitor(stack, authority) as other:
        assert owner.login(PASSWORD).status_code == 302
        stack.door_shell(f": > {STATE}/{name}", user="1000")
        stack.told(f"{STATE}/{name} is damaged. {IN_FORCE}")
        assert_closed_to_strangers(stack, authority)
        assert owner.is_logged_in()
        assert other.login(PASSWORD).status_code == 302
    assert stack.log().count(IN_FORCE) == 1
    assert SIGNED_OUT not in stack.log()


def more_lines(stack: Stack, than: int) -> bool:
    return stack.log().count(IN_FORCE) > than


DAMAGE = (
    "head -c 300 /dev/urandom > F",
    "chmod 0 F",
    "rm F",
    "mkdir F",
)


def test_after_any_damage_a_new_password_counts_at_once(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    authority, first = stack.authority(), stack.generated_password()
    for damage in DAMAGE:
        lines = stack.log().count(IN_FORCE)
        stack.door_shell(damage.replace("F", f"{STATE}/password-hash"), user="1000")
        poll(partial(more_lines, stack, lines), wanted=f"the line about {damage}")
    assert_closed_to_strangers(stack, authority)
    with visitor(stack, authority) as client:
        assert client.login(first).status_code == 302
        device = client.session.cookies["workhorse-device"]
        stack.door_shell(f"rmdir {STATE}/password-hash", user="1000")
        second = re.search(r"shown this once: (\S+)", stack.workhorse("reset-password"))
        assert second
        poll(lambda: is_signed_out(client), wanted="the sign-out")
        answer = client.login(second[1])
        assert answer.status_code == 302
        # The browser is still known, so it needs no new cookie for that.
        assert "workhorse-device" not in answer.cookies
        assert client.session.cookies["workhorse-device"] == device
    assert "Traceback" not in stack.log()


# Python runs the lines of such a file before anything else: the server's process replaces the hash as it begins to
# listen, when it has read its configuration and has not looked at the files since.
REPLACES_PASSWORD = f"""
import sys
def replace(event, _):
    if event == "socket.bind" and not done:
        done.append(event)
        with open("{STATE}/password-hash", "w") as file:
            file.write("HASH")
done = []
if "entrypoint.door.server" in sys.orig_argv:
    sys.addaudithook(replace)
"""


def test_a_password_that_is_replaced_in_the_second_of_the_start_counts(own_stack: MakeStack) -> None:
    stack = own_stack()
    code = REPLACES_PASSWORD.replace("HASH", hash_password(PASSWORD))
    (stack.folder / "replaces.pth").write_text(f"import sys; exec({code!r}, {{}})\n")
    packages = "/opt/server/lib/python3.13/site-packages"
    (stack.folder / "docker-compose.override.yml").write_text(f"""
services:
  workhorse:
    volumes:
      - {stack.folder}/replaces.pth:{packages}/replaces.pth:ro
""")
    stack.up()
    stack.told(SIGNED_OUT)
    with visitor(stack, stack.authority()) as client:
        assert client.login(stack.generated_password()).status_code == 401
        assert client.login(PASSWORD).status_code == 302


PERSONAL: dict[str, dict[str, object]] = {
    "Door": {"token": "x", "hashed_password": ""},
    "IdentityProvider": {"token": "x", "hashed_password": ""},
    "LetInByTheDoor": {"token": "x"},
    "ServerApp": {
        "token": "x",
        "password": "",
        "identity_provider_class": "jupyter_server.auth.identity.PasswordIdentityProvider",
        "allow_unauthenticated_access": True,
        "sock": "",
        "ip": "*",
    },
}


@pytest.mark.parametrize("section", PERSONAL)
def test_a_personal_setting_opens_no_door_and_is_named(own_stack: MakeStack, section: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    folder = "~/.jupyter/jupyter_server_config.d"
    stack.shell(f"mkdir -p {folder} && echo '{json.dumps({section: PERSONAL[section]})}' > {folder}/mine.json")
    # And the door too, which has nothing to read there.
    stack.compose("restart", "-t", "5")
    stack.up()
    authority = stack.authority()
    assert_closed_to_strangers(stack, authority)
    for answer in (
        requests.get(f"{stack.url}/api/status?token=x", verify=str(authority), timeout=30),
        requests.get(
            f"{stack.url}/api/status", headers={"Authorization": "token x"}, verify=str(authority), timeout=30
        ),
    ):
        assert answer.status_code == 403
    with visitor(stack, authority) as client:
        assert client.login("x").status_code == 401
        assert client.login(PASSWORD).status_code == 302
        assert client.run("print(1)") == "1\n"
    for name in set(PERSONAL[section]) & {"identity_provider_class", "allow_unauthenticated_access", "sock"}:
        stack.told(f"{section}.{name} in {folder} is overruled: Workhorse decides it.")
