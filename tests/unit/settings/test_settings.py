"""Settings: what is accepted, and what a person reads when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.files.errors import WorkhorseError
from entrypoint.settings.names import ServerName, reason_against
from entrypoint.settings.settings import Settings, from_environ, misspelt

SECRET = "pa$$word #'\" \\ % ü 🐴"


def refused(**environ: str) -> str:
    with pytest.raises(WorkhorseError) as error:
        from_environ(environ)
    return str(error.value)


def test_nothing_needs_to_be_set() -> None:
    settings = from_environ({})
    assert settings.jupyter_password is None
    assert (settings.bind_address, settings.port, settings.server_names) == ("0.0.0.0", 8888, ())  # noqa: S104


def test_an_empty_setting_counts_as_unset() -> None:
    names = ("JUPYTER_PASSWORD", "JUPYTER_PASSWORD_FILE", "SERVER_NAMES", "BIND_ADDRESS", "PORT", "REPOSITORIES")
    assert from_environ(dict.fromkeys(names, "")) == from_environ({})


@pytest.mark.parametrize("password", [SECRET, "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MICROSCOPE} at the bench"])
def test_a_password_is_taken_as_it_stands_and_never_shown(password: str) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": password})
    assert settings.jupyter_password == password
    assert password not in repr(settings)


def test_a_password_file_loses_its_line_break(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\r\n")
    assert from_environ({"JUPYTER_PASSWORD_FILE": str(file)}).jupyter_password == SECRET


def test_names_are_kept_in_their_canonical_form_once() -> None:
    settings = from_environ({"SERVER_NAMES": "Lab.Example.org., lab.example.org,bücher.example, [FD00::1] ,10.0.0.7"})
    texts = [name.text for name in settings.server_names]
    assert texts == ["lab.example.org", "xn--bcher-kva.example", "fd00::1", "10.0.0.7"]


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("192.168.1.20", ["lab.example.org", "192.168.1.20"]),
        ("[FD00::1]", ["lab.example.org", "fd00::1"]),
        ("fe80::1%eth0", ["lab.example.org"]),  # no certificate can hold it
        ("0.0.0.0", ["lab.example.org"]),  # noqa: S104  # as in .env
        ("::", ["lab.example.org"]),
        ("127.0.0.1", ["lab.example.org"]),
        ("[::1]", ["lab.example.org"]),
    ],
)
def test_the_one_address_that_is_listened_on_is_a_name(address: str, names: list[str]) -> None:
    settings = from_environ({"SERVER_NAMES": "lab.example.org", "BIND_ADDRESS": address})
    assert [name.text for name in settings.server_names] == names


@pytest.mark.parametrize(
    ("name", "in_browsers"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("bu\u0308cher。example", "xn--bcher-kva.example"),
    ],
)
def test_a_name_that_is_not_ascii_is_written_as_browsers_write_it(name: str, in_browsers: str) -> None:
    assert [each.text for each in from_environ({"SERVER_NAMES": name}).server_names] == [in_browsers]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PORT", "abc", "not a number from 1 to 65535"),
        ("SYNC_PORT", "0", "not a number from 1 to 65535"),
        ("SYNC_PORT", "8888", "is 8888, and so is PORT"),
        ("SYNC_GIT", "maybe", "neither on nor off"),
        ("SYNC_DISCOVERY", "1", "neither on nor off"),
        ("PORT", "0", "not a number from 1 to 65535"),
        ("PORT", "70000", "not a number from 1 to 65535"),
        ("PORT", "8888-8890", "not a number from 1 to 65535"),
        ("PORT", "٨٨٨٨", "not a number from 1 to 65535"),
        ("SESSION_DAYS", "0", "not a number from 1 to 400"),
        ("SESSION_DAYS", "forever", "not a number from 1 to 400"),
        ("TOTP", "yes", "neither on nor off"),
        ("TRUSTED_PROXIES", "10.0.0.300", "not an IP address or network"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "stands for every address"),
        ("NOTIFY_URL", "of-my-phone-alone", "no address of a service for notices"),
        ("MEMORY_LIMIT", "much", "not an amount of memory"),
        ("MEMORY_LIMIT", "64 gigs", "not an amount of memory"),
        ("WORKERS", "0", "not a number from 1 to 1000"),
        ("WORKER_MEMORY", "0", "not an amount of memory"),
        ("WORKER_MEMORY", "2 gigs", "not an amount of memory"),
        ("WORKER_CORES", "0.5", "not a number from 1 to 1024"),
        ("LETSENCRYPT_EMAIL", "ada at example", "not an e-mail address"),
        ("CERTIFICATE_FILE", "/etc/ssl/lab.pem", "not a path inside the folder that CERTIFICATES names"),
        ("KEY_FILE", "../lab.key", "not a path inside the folder that CERTIFICATES names"),
        ("ACME_SERVER", "http://ca.example.org", "not an address that starts with https://"),
        ("BIND_ADDRESS", "localhost", "not an IP address"),
        ("BIND_ADDRESS", "127.0.0.256", "not an IP address"),
        ("SERVER_NAMES", "my lab.example.org", "holds a space"),
        ("SERVER_NAMES", "*.example.org", "is a wildcard"),
        ("SERVER_NAMES", f"{'a' * 60}." * 5 + "org", "more than DNS allows"),
        ("SERVER_NAMES", "a" * 64, "is not a valid DNS name"),
        ("SERVER_NAMES", "192.168.1.300", "is not a valid IP address"),
        ("SERVER_NAMES", "192.168.1", "is not a valid IP address"),
        ("SERVER_NAMES", "fd00::zz", "is not a valid IP address"),
        ("SERVER_NAMES", "0.0.0.0", "stands for every address"),  # noqa: S104
        ("SERVER_NAMES", "https://lab.example.org", "with its scheme"),
        ("SERVER_NAMES", "lab.example.org:8888", "ends with a port"),
        ("SERVER_NAMES", "lab_1.example.org", "is not a valid DNS name"),
        ("SERVER_NAMES", "-lab.example.org", "is not a valid DNS name"),
        ("SERVER_NAMES", "lab..example.org", "is not a valid DNS name"),
        ("JUPYTER_PASSWORD", "short", "has 5 characters, fewer than 8"),
        ("JUPYTER_PASSWORD", "change-me", "among the passwords that are tried first"),
        ("JUPYTER_PASSWORD", "Password1", "among the passwords that are tried first"),
        ("JUPYTER_PASSWORD", "two\nlines in it", "holds a line break"),
        ("JUPYTER_PASSWORD", "two\u2028lines in it", "holds a line break"),
        ("JUPYTER_PASSWORD", "two\u2029paragraphs", "holds a line break"),
        ("JUPYTER_PASSWORD", "not UTF-8: \udcff", "control character"),
        ("JUPYTER_PASSWORD", "x" * 1025, "longer than 1024"),
        ("JUPYTER_PASSWORD_FILE", "/nowhere/password", "No such file"),
        ("JUPYTER_PASSWORD_FILE", "/", "not a regular file"),
        ("JUPYTER_PASSWORD_FILE", "/dev/null", "not a regular file"),
    ],
)
def test_a_bad_value_is_named_with_its_remedy(name: str, value: str, reason: str) -> None:
    first, remedy = refused(**{name: value}).splitlines()
    assert first.startswith(name)
    assert reason in first
    assert remedy.startswith("  ")
    assert name in remedy
    assert name != "NOTIFY_URL" or value not in first + remedy
    assert "PASSWORD" not in name or len(value) < 5 or name.endswith("FILE") or value not in first + remedy


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        ("https://lab.example.org:8888/lab, 192.168.1.20", "lab.example.org,192.168.1.20"),
        ("lab.example.org 192.168.1.20", "lab.example.org,192.168.1.20"),
        ("lab.example.org:8888,LAB2.example.org", "lab.example.org,lab2.example.org"),
        ("https://[FD00::1]:8888,fd00::2", "fd00::1,fd00::2"),
        # What would lose a name isn't proposed, nor what nobody reads.
        ("bib.example.org,*.example.org", "lab.example.org,192.168.1.20"),
        ("a b," * 99, "lab.example.org,192.168.1.20"),
    ],
)
def test_the_names_that_were_meant_are_proposed(given: str, proposed: str) -> None:
    line = f"SERVER_NAMES={proposed}"
    assert refused(SERVER_NAMES=given).splitlines()[1].endswith(line)
    assert from_environ({"SERVER_NAMES": proposed}).server_names


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("CERTIFICATE_FILE", "lab.pem", "KEY_FILE"),
        ("KEY_FILE", "lab.key", "CERTIFICATE_FILE"),
        ("ACME_SERVER", "https://ca.example.org/dir", "LETSENCRYPT_EMAIL"),
        ("LETSENCRYPT_EMAIL", "ada@example.org", "SERVER_NAMES"),
        ("ACME_CA_FILE", "root.pem", "ACME_SERVER"),
        ("ACME_DNS_HOOK", "dns.sh", "LETSENCRYPT_EMAIL"),
    ],
)
def test_a_setting_that_does_nothing_alone_is_refused(name: str, value: str, needed: str) -> None:
    first, remedy = refused(**{name: value}).splitlines()
    assert first == f"{name} is set without {needed}, and does nothing alone."
    assert f"{needed}=" in remedy


@pytest.mark.parametrize("folder", ["/", "//", "/etc", "/etc/", "/home/ada/..", "/usr/./"])
def test_no_folder_of_the_machine_itself_is_served(folder: str) -> None:
    assert "a folder of the machine itself" in refused(REPOSITORIES=folder)


@pytest.mark.parametrize("folder", ["/home/ada", "/data", "./repositories", "../notebooks", "/srv/lab"])
def test_any_other_folder_is_served(folder: str) -> None:
    assert from_environ({"REPOSITORIES": folder}).repositories == folder


@pytest.mark.parametrize(
    ("name", "meant"),
    [("TOPT", "TOTP"), ("SERVER_NAME", "SERVER_NAMES"), ("JUPYTER_PASWORD", "JUPYTER_PASSWORD"), ("PORTS", "PORT")],
)
def test_a_misspelt_setting_is_told(name: str, meant: str) -> None:
    assert misspelt({name: "on", meant: "on", "PATH": "/bin"}) == {name: meant}


def test_what_else_stands_in_an_environment_is_left_alone() -> None:
    usual = "PATH HOME LANG LC_ALL SHELL TZ HOSTNAME USER PWD TERM COMPOSE_FILE COMPOSE_PROJECT_NAME CONDA_DIR "
    usual += "PYTHONNOUSERSITE HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE REQUESTS_CA_BUNDLE OMP_NUM_THREADS "
    usual += (
        "MAMBA_ROOT_PREFIX CUDA_VISIBLE_DEVICES OPENAI_API_KEY AWS_ACCESS_KEY_ID HF_HOME WANDB_API_KEY GITHUB_TOKEN "
    )
    usual += "NVIDIA_VISIBLE_DEVICES JUPYTER_TOKEN"
    assert misspelt(dict.fromkeys(usual.split(), "")) == {}


def test_a_password_and_a_file_at_once_are_refused(tmp_path: Path) -> None:
    text = refused(JUPYTER_PASSWORD=SECRET, JUPYTER_PASSWORD_FILE=str(tmp_path / "file"))
    assert "both set" in text
    assert SECRET not in text


def test_all_problems_are_reported_at_once_in_order() -> None:
    text = refused(PORT="x", BIND_ADDRESS="y", SERVER_NAMES="a b,*.c", JUPYTER_PASSWORD="short")
    firsts = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(firsts) == 5
    assert firsts == sorted(firsts)


@given(st.text(max_size=300))
def test_any_text_is_either_a_name_or_has_a_reason(text: str) -> None:
    if reason_against(text) is None:
        name = ServerName.parse(text)
        assert name.text.isascii()
        assert reason_against(name.text) is None
        assert ServerName.parse(name.text) == name


@given(st.dictionaries(st.sampled_from(["PORT", "BIND_ADDRESS", "SERVER_NAMES", "JUPYTER_PASSWORD"]), st.text()))
def test_any_environment_is_either_read_or_refused(environ: dict[str, str]) -> None:
    try:
        settings = from_environ(environ)
    except WorkhorseError as error:
        assert error.problems
    else:
        assert isinstance(settings, Settings)
