"""What a person sets in `.env`: read from the environment, judged, and reported all at once."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.untrusted import read_linked
from entrypoint.settings.names import IPAddress, ServerName
from entrypoint.settings.reader import (
    Reader,
    judge_companions,
    read_acme_server,
    read_bind_address,
    read_bound_name,
    read_cluster_address,
    read_cluster_port,
    read_email,
    read_file_in_certificates,
    read_memory_limit,
    read_notify_url,
    read_password,
    read_port,
    read_repositories,
    read_server_names,
    read_session_days,
    read_switch,
    read_sync_port,
    read_trusted_proxies,
    read_worker_cores,
    read_worker_memory,
    read_workers,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104  # the host's firewall and the password are the door
# How alike two names are, from 0 to 1, by difflib: TOPT and TOTP are 0.75, SSL_CERT_FILE and CERTIFICATE_FILE 0.62.
MISSPELT = 0.75


def setting(meaning: str, default: str = "") -> Any:
    """Declares a field of Settings: its one-line meaning and its default as it stands in `.env`."""
    return field(metadata={"meaning": meaning, "default": default})


def secret(meaning: str) -> Any:
    return field(repr=False, metadata={"meaning": meaning, "default": ""})


@dataclass(frozen=True)
class Settings:
    """The settings in the order of `env.example`; each field is named like its variable, in lower case."""

    jupyter_password: str | None = secret("The password to log in with; empty: the last one stays, or one is made up")
    jupyter_password_file: str = setting("A file that holds the password, instead of the line above")
    server_names: tuple[ServerName, ...] = setting("The names and IP addresses you open it by, comma-separated")
    bind_address: str = setting("The host's address to listen on; 127.0.0.1: through an ssh tunnel only", EVERYWHERE)
    port: int = setting("The host's port", "8888")
    session_days: int = setting("For how many days a login lasts", "30")
    totp: bool = setting("on: ask for a code from your phone besides the password", "off")
    trusted_proxies: str = setting("Addresses of your own reverse proxies, whose X-Forwarded-For counts")
    notify_url: str = secret("Where your phone hears of the ends of long cells, such as ntfys://ntfy.sh/TOPIC")
    memory_limit: str = setting("The most memory that all notebooks together may take, such as 64g", "0")
    workers: int = setting("How many workers a cluster has", "1")
    worker_memory: str = setting("The most memory for each worker of a cluster", "2g")
    worker_cores: int = setting("The cores for each worker of a cluster", "1")
    cluster_address: str = setting("This machine's address, by which other machines join the cluster")
    cluster_port: int = setting("The host's port for them", "8786")
    repositories: str = setting("The host's folder with your notebooks", "./repositories")
    certificates: str = setting("The host's folder with certificates of your own", "./certificates")
    certificate_file: str = setting("Your own certificate with its chain, a file in that folder")
    key_file: str = setting("Its private key, a file in that folder")
    letsencrypt_email: str = setting("Your e-mail address: get certificates for public names from Let's Encrypt")
    acme_server: str = setting("Another ACME server's directory (URL)")
    acme_ca_file: str = setting("That server's root certificate, a file in CERTIFICATES")
    acme_dns_hook: str = setting("A script in CERTIFICATES that proves names by DNS, where port 80 can't be reached")
    sync_port: int = setting("The host's port for laptops that the notebooks' folder is kept in step with", "22000")
    sync_discovery: bool = setting("on: laptops find this server by Syncthing's public servers", "off")
    sync_git: bool = setting("on: .git folders are kept in step too", "off")
    ca_file: str = setting("Your company's certificate authority (PEM), if its network needs one")
    base_image: str = setting("The conda base image, if not the public one")

    @property
    def listen_address(self) -> IPAddress:
        """What BIND_ADDRESS stands for."""
        return ipaddress.ip_address(self.bind_address.strip("[]"))


def variable_names() -> list[str]:
    """Every variable that is Workhorse's own, so that no kernel inherits it."""
    return [each.name.upper() for each in fields(Settings)]


def misspelt(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that are nobody's and look like a setting, each with the one that may be meant."""
    known = variable_names()
    alike = {name: difflib.get_close_matches(name, known, 1, MISSPELT) for name in environ if name not in known}
    return {name: found[0] for name, found in alike.items() if found}


def from_environ(environ: Mapping[str, str], read_file: Callable[[Path], bytes] = read_linked) -> Settings:
    """Reads all settings, or raises one WorkhorseError that names every problem."""
    reader = Reader(environ, {each.name.upper(): each.metadata["default"] for each in fields(Settings)})
    settings = Settings(
        jupyter_password=read_password(reader, read_file),
        jupyter_password_file=reader.text("JUPYTER_PASSWORD_FILE"),
        server_names=tuple(dict.fromkeys((*read_server_names(reader), *read_bound_name(reader)))),
        bind_address=read_bind_address(reader),
        port=read_port(reader),
        session_days=read_session_days(reader),
        totp=read_switch(reader, "TOTP"),
        trusted_proxies=read_trusted_proxies(reader),
        notify_url=read_notify_url(reader),
        memory_limit=read_memory_limit(reader),
        workers=read_workers(reader),
        worker_memory=read_worker_memory(reader),
        worker_cores=read_worker_cores(reader),
        cluster_address=read_cluster_address(reader),
        cluster_port=read_cluster_port(reader),
        repositories=read_repositories(reader),
        certificates=reader.text("CERTIFICATES"),
        certificate_file=read_file_in_certificates(reader, "CERTIFICATE_FILE"),
        key_file=read_file_in_certificates(reader, "KEY_FILE"),
        letsencrypt_email=read_email(reader),
        acme_server=read_acme_server(reader),
        acme_ca_file=read_file_in_certificates(reader, "ACME_CA_FILE"),
        acme_dns_hook=read_file_in_certificates(reader, "ACME_DNS_HOOK"),
        sync_port=read_sync_port(reader),
        sync_discovery=read_switch(reader, "SYNC_DISCOVERY"),
        sync_git=read_switch(reader, "SYNC_GIT"),
        ca_file=reader.text("CA_FILE"),
        base_image=reader.text("BASE_IMAGE"),
    )
    judge_companions(reader)
    if reader.problems:
        raise WorkhorseError(reader.problems)
    return settings
