"""What makes each setting sound: taken from the environment one by one, with all that is wrong collected."""

from __future__ import annotations

import contextlib
import ipaddress
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from entrypoint.files.errors import Problem
from entrypoint.settings.clients import parse_networks
from entrypoint.settings.names import ServerName, meant, reason_against

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024
IN_FILE = "in the file that JUPYTER_PASSWORD_FILE names, then: docker compose restart workhorse"
# The placeholder, what this product suggests, and the head of every published list of leaked passwords.
TRIED_FIRST = {
    "change-me", "changeme", "workhorse", "jupyterlab", "notebook", "notebooks", "anaconda", "password", "password1",
    "passw0rd", "12345678", "123456789", "1234567890", "11111111", "00000000", "87654321", "qwertyui", "qwertyuiop",
    "1q2w3e4r", "1qaz2wsx", "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1",
    "letmein1", "welcome1", "abcd1234", "admin123", "asdfghjkl", "computer", "whatever",
}  # fmt: skip
# Its value is as good as a password, and never shown.
NOTIFY_REMEDY = "Give it in single quotes, for instance: NOTIFY_URL='ntfys://ntfy.sh/a-long-name-that-nobody-guesses'"
# Unicode's categories of what no form sends as it was typed: controls, half characters, separators of lines. Not more
# than these: what joins several characters to one emoji can't be printed by itself, and can be typed.
UNTYPABLE = {"Cc", "Cs", "Zl", "Zp"}
# The machine's own. They are root's, so the start would tell how to give all of it to another user.
SYSTEM_FOLDERS = {
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys",
    "/usr", "/var",
}  # fmt: skip


class Reader:
    """Takes values out of an environment and collects what is wrong with them.

    Args:
        defaults: Of each variable, as text.
    """

    def __init__(self, environ: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self.environ, self.defaults = environ, defaults
        self.problems: list[Problem] = []

    def text(self, name: str) -> str:
        return self.environ.get(name, "").strip() or self.defaults[name]

    def complain(self, what: str, remedy: str) -> None:
        self.problems.append(Problem(what, remedy))


def read_password(reader: Reader, read_file: Callable[[Path], bytes]) -> str | None:
    # Jupyter's login form drops spaces at both ends of what is typed.
    given, file = reader.environ.get("JUPYTER_PASSWORD", "").strip(), reader.text("JUPYTER_PASSWORD_FILE")
    if given and file:
        reader.complain(
            "JUPYTER_PASSWORD and JUPYTER_PASSWORD_FILE are both set, and only one can hold the password.",
            "Empty one of the two in .env.",
        )
        return None
    name = "JUPYTER_PASSWORD_FILE" if file else "JUPYTER_PASSWORD"
    password = _password_in(Path(file), reader, read_file) if file else given
    if password is None or not (password or file):
        return None
    _judge_password(name, password, reader)
    return password


def _password_in(file: Path, reader: Reader, read_file: Callable[[Path], bytes]) -> str | None:
    try:
        return read_file(file).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        reader.complain(
            f"JUPYTER_PASSWORD_FILE can't be read: {why}.",
            "Let it name a text file, on the host, with the password in one line: JUPYTER_PASSWORD_FILE=./password.txt",
        )
        return None


def _judge_password(name: str, password: str, reader: Reader) -> None:
    where = IN_FILE if name.endswith("_FILE") else "in .env, between single quotes: JUPYTER_PASSWORD='...'"
    if password.lower() in TRIED_FIRST:
        reader.complain(f"{name} is among the passwords that are tried first.", f"Choose another {where}")
    elif len(password) < PASSWORD_LENGTH_MIN:
        reader.complain(
            f"{name} has {len(password)} characters, fewer than {PASSWORD_LENGTH_MIN}.",
            f"Choose a longer one {where}",
        )
    elif len(password) > PASSWORD_LENGTH_MAX or not UNTYPABLE.isdisjoint(map(unicodedata.category, password)):
        reader.complain(
            f"{name} is longer than {PASSWORD_LENGTH_MAX} characters, or holds a line break or control character.",
            f"Choose one that can be typed into a browser {where}",
        )


def read_server_names(reader: Reader) -> list[ServerName]:
    names: list[ServerName] = []
    given = reader.text("SERVER_NAMES")
    proposed = meant(given) or "lab.example.org,192.168.1.20"
    for text in filter(None, (part.strip() for part in given.split(","))):
        if reason := reason_against(text):
            shown = text if len(text) <= 80 else f"{text[:77]}..."
            reader.complain(
                f"SERVER_NAMES holds '{shown}', which {reason}.",
                f"Give bare names and addresses, with commas between them: SERVER_NAMES={proposed}",
            )
        else:
            names.append(ServerName.parse(text))
    return names


def read_bind_address(reader: Reader) -> str:
    text = reader.text("BIND_ADDRESS")
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        reader.complain(
            f"BIND_ADDRESS is '{text}', which is not an IP address.",
            "Listen everywhere with BIND_ADDRESS=0.0.0.0, or on this machine alone with BIND_ADDRESS=127.0.0.1",
        )
    return text


def read_bound_name(reader: Reader) -> Iterator[ServerName]:
    """Where the server listens on one address, that is a name of it too: the only one that is sure to lead there."""
    text = reader.text("BIND_ADDRESS")
    with contextlib.suppress(ValueError):
        if not (ipaddress.ip_address(text.strip("[]")).is_loopback or reason_against(text)):
            yield ServerName.parse(text)


def read_port(reader: Reader) -> int:
    return _number(reader, "PORT", 65535, "Use the usual one: PORT=8888")


def read_sync_port(reader: Reader) -> int:
    port = _number(reader, "SYNC_PORT", 65535, "Use the usual one: SYNC_PORT=22000")
    if port and reader.text("SYNC_PORT") == reader.text("PORT"):
        reader.complain(f"SYNC_PORT is {port}, and so is PORT.", "Give each its own: SYNC_PORT=22000")
    return port


def read_session_days(reader: Reader) -> int:
    # Browsers keep no cookie for longer than 400 days.
    return _number(reader, "SESSION_DAYS", 400, "For a month: SESSION_DAYS=30")


def _amount(reader: Reader, name: str, digits: str, remedy: str) -> str:
    """Of memory, in Docker's own notation, since Compose reads it too."""
    text = reader.text(name).lower()
    if not re.fullmatch(rf"{digits}[bkmg]?b?", text):
        reader.complain(f"{name} is '{text[:80]}', which is not an amount of memory.", remedy)
    return text


def _number(reader: Reader, name: str, most: int, remedy: str) -> int:
    text = reader.text(name)
    # Of at most nine ASCII digits: Python refuses to read thousands of them.
    if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most:
        return int(text)
    reader.complain(f"{name} is '{text[:80]}', which is not a number from 1 to {most}.", remedy)
    return 0


def read_switch(reader: Reader, name: str) -> bool:
    text = reader.text(name).lower()
    if text not in ("on", "off"):
        reader.complain(f"{name} is '{text}', which is neither on nor off.", f"Write {name}=on or {name}=off")
    return text == "on"


def read_trusted_proxies(reader: Reader) -> str:
    text = reader.text("TRUSTED_PROXIES")
    try:
        parse_networks(text)
    except ValueError as error:
        reader.complain(
            f"TRUSTED_PROXIES: {error}.", "Give the proxies' addresses or networks: TRUSTED_PROXIES=172.18.0.0/16"
        )
    return text


def read_notify_url(reader: Reader) -> str:
    """Only its form; what it means, the library knows that sends (door/messenger.py)."""
    text = reader.text("NOTIFY_URL")
    if text and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", text):
        reader.complain("NOTIFY_URL is no address of a service for notices.", NOTIFY_REMEDY)
    return text


def read_memory_limit(reader: Reader) -> str:
    return _amount(reader, "MEMORY_LIMIT", r"\d+", "Give it in gigabytes, or 0 for no limit: MEMORY_LIMIT=64g")


def read_workers(reader: Reader) -> int:
    return _number(reader, "WORKERS", 1000, "One for each core that notebooks can do without: WORKERS=4")


def read_worker_memory(reader: Reader) -> str:
    remedy = "Give each worker of the cluster some gigabytes: WORKER_MEMORY=4g"
    return _amount(reader, "WORKER_MEMORY", r"0*[1-9]\d*", remedy)


def read_worker_cores(reader: Reader) -> int:
    return _number(reader, "WORKER_CORES", 1024, "One worker for each core: WORKER_CORES=1")


def read_cluster_address(reader: Reader) -> str:
    """Workers here listen to it, and those of other machines call it: a name would not do, nor would every address."""
    text = reader.text("CLUSTER_ADDRESS")
    with contextlib.suppress(ValueError):
        address = ipaddress.IPv4Address(text)
        if not (address.is_unspecified or address.is_loopback):
            return text
    if text:
        reader.complain(
            f"CLUSTER_ADDRESS is '{text[:80]}', which is not an IPv4 address that other machines reach.",
            "Give this machine's own, which hostname -I lists: CLUSTER_ADDRESS=192.168.1.20",
        )
    return text


def read_cluster_port(reader: Reader) -> int:
    return _number(reader, "CLUSTER_PORT", 65535, "Use the usual one: CLUSTER_PORT=8786")


def read_repositories(reader: Reader) -> str:
    text = reader.text("REPOSITORIES")
    if posixpath.normpath(text).replace("//", "/") in SYSTEM_FOLDERS:
        reader.complain(
            f"REPOSITORIES is '{text}', which is a folder of the machine itself.",
            "Name one that holds your notebooks alone: REPOSITORIES=/home/ada/notebooks",
        )
    return text


def read_file_in_certificates(reader: Reader, name: str) -> str:
    """A path below the folder that CERTIFICATES names, which is the one that the container sees."""
    path = PurePosixPath(reader.text(name))
    if path.is_absolute() or ".." in path.parts:
        folder = path.parent if path.is_absolute() else "/etc/ssl/mine"
        reader.complain(
            f"{name} is '{path}', which is not a path inside the folder that CERTIFICATES names.",
            f"Name the folder and the file apart: CERTIFICATES={folder} and {name}={path.name}",
        )
    return "" if str(path) == "." else str(path)


def read_email(reader: Reader) -> str:
    address, remedy = r"[^@\s]+@[^@\s]+\.[^@\s]+", "Give your own: LETSENCRYPT_EMAIL=ada@example.org"
    return _matching(reader, "LETSENCRYPT_EMAIL", address, "an e-mail address", remedy)


def read_acme_server(reader: Reader) -> str:
    remedy = "Give the whole address of its directory: ACME_SERVER=https://ca.example.org/acme/acme/directory"
    address, what = r"https://[^/\s]+(/\S*)?", "an address that starts with https://"
    return _matching(reader, "ACME_SERVER", address, what, remedy)


def _matching(reader: Reader, name: str, pattern: str, what: str, remedy: str) -> str:
    """A text that may be empty, and else is all of a pattern."""
    text = reader.text(name)
    if text and not re.fullmatch(pattern, text):
        reader.complain(f"{name} is '{text}', which is not {what}.", remedy)
    return text


def judge_companions(reader: Reader) -> None:
    """Settings that do nothing without another are a mistake."""
    for name, needed, example in (
        ("CERTIFICATE_FILE", "KEY_FILE", "KEY_FILE=privkey.pem"),
        ("KEY_FILE", "CERTIFICATE_FILE", "CERTIFICATE_FILE=fullchain.pem"),
        ("LETSENCRYPT_EMAIL", "SERVER_NAMES", "SERVER_NAMES=lab.example.org"),
        ("ACME_SERVER", "LETSENCRYPT_EMAIL", "LETSENCRYPT_EMAIL=ada@example.org"),
        ("ACME_CA_FILE", "ACME_SERVER", "ACME_SERVER=https://ca.example.org/acme/acme/directory"),
        ("ACME_DNS_HOOK", "LETSENCRYPT_EMAIL", "LETSENCRYPT_EMAIL=ada@example.org"),
    ):
        is_sound = not any(problem.what.startswith(name) for problem in reader.problems)
        if is_sound and reader.text(name) and not reader.text(needed):
            reader.complain(f"{name} is set without {needed}, and does nothing alone.", f"Add to .env: {example}")
