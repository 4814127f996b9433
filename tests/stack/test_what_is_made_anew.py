"""Another setting makes those services anew that it concerns, and no other, as the README's table has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.settings.settings import variable_names
from tests.laptops import SYNC, new_sync_stack
from tests.stacks import DOOR, KERNELS, LAB, REPOSITORY, Stack, new_stack, prepared

ANOTHER = {
    "JUPYTER_PASSWORD": "another password",
    "JUPYTER_PASSWORD_FILE": "./another",
    "SERVER_NAMES": "lab.example.org",
    "BIND_ADDRESS": "127.0.0.2",
    "PORT": "8889",
    "SESSION_DAYS": "3",
    "TOTP": "on",
    "TRUSTED_PROXIES": "192.0.2.1",
    "NOTIFY_URL": "ntfys://ntfy.sh/another",
    "MEMORY_LIMIT": "3g",
    "WORKERS": "2",
    "WORKER_MEMORY": "3g",
    "WORKER_CORES": "2",
    "CLUSTER_ADDRESS": "192.0.2.2",
    "CLUSTER_PORT": "8787",
    "REPOSITORIES": "./another-folder",
    "CERTIFICATES": "./another-folder",
    "CERTIFICATE_FILE": "fullchain.pem",
    "KEY_FILE": "privkey.pem",
    "LETSENCRYPT_EMAIL": "ada@example.org",
    "ACME_SERVER": "https://acme.example.org/directory",
    "ACME_CA_FILE": "root.pem",
    "ACME_DNS_HOOK": "dns.sh",
    "SYNC_PORT": "22001",
    "SYNC_DISCOVERY": "on",
    "SYNC_GIT": "on",
    "CA_FILE": "./another",
}
# The door names the first two in lines for the host, and can't take them from where notebooks run. JupyterLab shows the
# folder, and everybody trusts the company's authority.
ALSO = {"MEMORY_LIMIT": {KERNELS}, "REPOSITORIES": {LAB, KERNELS}, "CA_FILE": {LAB, KERNELS}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with prepared(new_stack(tmp_path_factory.mktemp("made"))) as stack:
        (stack.folder / "another").touch()
        (stack.folder / "another-folder").mkdir()
        stack.compose("create", "--no-build")
        yield stack


@pytest.fixture
def settings(made: Stack) -> Iterator[Path]:
    """The stack's .env, which is afterwards as it was."""
    file = made.folder / ".env"
    before = file.read_text()
    yield file
    file.write_text(before)


def made_anew(stack: Stack) -> set[str]:
    """The services whose containers `docker compose up -d` would replace, as Compose itself says."""
    told = stack.compose("up", "-d", "--no-build", "--dry-run").stderr
    found = set(re.findall(rf"Container \S*{stack.project}-(\w+)-1\s+Recreate\b", told))
    assert found or "Recreate" not in told, told
    return found


def test_every_setting_is_tried() -> None:
    assert set(ANOTHER) == set(variable_names()) - {"BASE_IMAGE"}


@pytest.mark.parametrize("name", ANOTHER)
@pytest.mark.usefixtures("settings")
def test_a_setting_makes_anew_whom_it_concerns(made: Stack, name: str) -> None:
    assert made_anew(made) == set()
    made.set(**{name: ANOTHER[name]})
    assert made_anew(made) == {DOOR} | ALSO.get(name, set())


OF_SYNC = ("BIND_ADDRESS", "REPOSITORIES", "SYNC_PORT", "SYNC_DISCOVERY", "SYNC_GIT")


def test_the_service_that_syncs_is_made_anew_by_its_own_settings_alone(tmp_path: Path) -> None:
    with prepared(new_sync_stack(tmp_path)) as stack:
        (stack.folder / "another").touch()
        (stack.folder / "another-folder").mkdir()
        stack.compose("create", "--no-build")
        file = stack.folder / ".env"
        before = file.read_text()
        for name, value in ANOTHER.items():
            stack.set(**{name: value})
            assert (SYNC in made_anew(stack)) == (name in OF_SYNC), name
            file.write_text(before)


def test_what_notebooks_find_in_their_environment_is_the_kernels_alone(made: Stack) -> None:
    (made.folder / "lab.env").write_text("HTTPS_PROXY=http://proxy.example.org\n")
    assert made_anew(made) == {KERNELS}
    (made.folder / "lab.env").unlink()


def test_the_readme_s_table_says_so() -> None:
    row = next(line for line in (REPOSITORY / "README.md").read_text().splitlines() if line.endswith("| end |"))
    ending = {name for name in ANOTHER if KERNELS in ALSO.get(name, set())}
    assert set(re.findall("`([A-Z_]+)`", row)) == ending | {"BASE_IMAGE"}
