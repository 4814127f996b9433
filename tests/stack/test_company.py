"""A company's own authority, named in CA_FILE: what people use in notebooks and terminals trusts it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import intranet
from tests.acme import SERVER_PYTHON
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.intranet import ORIGIN
from tests.pki import University
from tests.stacks import DOOR, IMAGE, Stack, new_stack, poll, prepared
from tests.unit.certificates.test_company import root

MENU = "lentils"
COMMIT = "1" * 40
BUNDLE = "/run/workhorse/ca.pem"
WHEEL = "canteen-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def company() -> University:
    return University()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, company: University) -> Iterator[Stack]:
    """A stack in a network whose web server has the company's certificate."""
    stack = new_stack(tmp_path_factory.mktemp("company"), JUPYTER_PASSWORD=PASSWORD, CA_FILE="./company.pem")
    # Before it stands another, such as many a company has.
    former = root(has_usage=False, is_critical=True, has_identifier=True)
    (stack.folder / "company.pem").write_text(former.decode() + company.root_pem)
    pair = company.issue(["intranet"])
    folder = stack.folder / "intranet"
    fill(folder / "files")
    (folder / "pair.pem").write_bytes(pair.key_pem() + pair.chain_pem)
    service = {
        "image": IMAGE,
        "entrypoint": [SERVER_PYTHON, "/program", "/intranet/pair.pem", "/intranet/files"],
        "volumes": [f"{intranet.__file__}:/program:ro", f"{folder}:/intranet:ro"],
        "cap_drop": ["ALL"],
        "stop_signal": "SIGKILL",
        "networks": ["kernels"],
    }
    (stack.folder / "docker-compose.override.yml").write_text(json.dumps({"services": {"intranet": service}}))
    with prepared(stack):
        stack.up()
        poll(lambda: MENU in stack.shell(f"curl -sk {ORIGIN}/menu.txt", check=False), wanted="the web server")
        yield stack


def fill(folder: Path) -> None:
    """A page, a package index with one package, and as much of a git repository as can be asked for its branches."""
    index, repository = folder / "simple" / "canteen", folder / "recipes.git"
    index.mkdir(parents=True)
    (repository / "info").mkdir(parents=True)
    (folder / "menu.txt").write_text(MENU)
    (index / "index.html").write_text(f'<a href="../../{WHEEL}">{WHEEL}</a>')
    (repository / "HEAD").write_text("ref: refs/heads/main\n")
    (repository / "info" / "refs").write_text(f"{COMMIT}\trefs/heads/main\n")
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("canteen.py", f"today = {MENU!r}\n")
        wheel.writestr("canteen-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: canteen\nVersion: 1.0\n")
        wheel.writestr("canteen-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("canteen-1.0.dist-info/RECORD", "")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (f"curl -sS {ORIGIN}/menu.txt", MENU),
        (f"git ls-remote {ORIGIN}/recipes.git", f"{COMMIT}\trefs/heads/main"),
        (f"pip download -q --no-deps -d /tmp/wheels --index-url {ORIGIN}/simple canteen && ls /tmp/wheels", WHEEL),
    ],
    ids=["curl", "git", "pip"],
)
def test_a_terminal_trusts_it(stack: Stack, command: str, answer: str) -> None:
    assert answer in stack.shell(command).splitlines()


def test_nothing_trusts_it_by_itself(stack: Stack) -> None:
    # 60 is curl's status for a certificate that it doesn't trust.
    assert stack.shell(f"env -u CURL_CA_BUNDLE -u SSL_CERT_FILE curl -s {ORIGIN}/menu.txt; echo $?") == "60\n"


@pytest.mark.parametrize(
    "code",
    [
        f"import requests; print(requests.get('{ORIGIN}/menu.txt', timeout=20).text)",
        f"import urllib.request; print(urllib.request.urlopen('{ORIGIN}/menu.txt', timeout=20).read().decode())",
    ],
    ids=["requests", "urllib"],
)
def test_a_notebook_trusts_it(client: Client, code: str) -> None:
    assert client.run(code) == f"{MENU}\n"


def test_pip_in_a_notebook_trusts_it(client: Client) -> None:
    install = f"%pip install --disable-pip-version-check --index-url {ORIGIN}/simple canteen"
    assert "Successfully installed canteen-1.0" in client.run(install)
    assert client.run("import canteen; print(canteen.today)") == f"{MENU}\n"


def test_conda_is_told_of_it_and_the_public_ones_stay(stack: Stack, client: Client, company: University) -> None:
    assert client.run("import os; print(os.environ['CONDA_SSL_VERIFY'])") == f"{BUNDLE}\n"
    assert stack.shell("echo $CONDA_SSL_VERIFY") == f"{BUNDLE}\n"
    bundle = stack.shell(f"cat {BUNDLE}")
    assert bundle.startswith(stack.shell("cat /etc/ssl/certs/ca-certificates.crt"))
    assert bundle.endswith(company.root_pem)


def test_the_start_tells_of_one_that_python_refuses(stack: Stack) -> None:
    refused = "Python 3.13 doesn't trust an authority in CA_FILE: CN=Lentils Ltd lacks keyUsage."
    assert stack.told(refused).count(refused) == 1
    assert refused in stack.workhorse("status")
    assert "University" not in stack.log()


def test_the_door_trusts_it_too(stack: Stack) -> None:
    """As for an ACME server of the company's."""
    assert stack.door_shell(f"cat {BUNDLE}") == stack.shell(f"cat {BUNDLE}")
    # What stands in the server's place has its environment.
    variables = stack.compose("run", "--rm", "-T", DOOR, "env").stdout.splitlines()
    assert {f"SSL_CERT_FILE={BUNDLE}", f"REQUESTS_CA_BUNDLE={BUNDLE}"} <= set(variables)
