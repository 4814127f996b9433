"""A real ACME server for tests: Pebble and its DNS server, as further services of a stack's Compose project."""

from __future__ import annotations

import json
import secrets
from ipaddress import IPv4Network
from typing import Any

from cryptography import x509

from entrypoint.renewal.acme import HTTP_PORT
from tests import limited_acme
from tests.handshakes import Door, trusting
from tests.pki import University
from tests.stacks import IMAGE, Stack, poll

ROOT_FILE = "pebble-root.pem"
SERVER_PYTHON = "/opt/server/bin/python"
DIRECTORY = "https://pebble:14000/dir"
YEAR_SECONDS = 365 * 24 * 3600
LIMITED_DIRECTORY = f"{limited_acme.ORIGIN}/directory"
SILENT_DIRECTORY = f"https://limited:{limited_acme.SILENT_PORT}/directory"
BLOCKED = "blocked.example.org"


class Pebble:
    """The ACME server of one stack: it validates on the server's port 8880, and believes its own DNS server alone."""

    def __init__(self, stack: Stack, validity_seconds: int = YEAR_SECONDS) -> None:
        self.stack = stack
        # Set apart for tests of networks (RFC 2544), so that no machine needs it.
        self.network = IPv4Network(f"198.18.{secrets.randbelow(256)}.{16 * secrets.randbelow(16)}/28")
        self.workhorse, self.nobody = (str(self.network[number]) for number in (2, 9))
        self.folder = stack.folder / "pebble"
        self.folder.mkdir()
        self._write_certificate()
        self._write_config(validity_seconds)
        self._write_override()
        stack.set(LETSENCRYPT_EMAIL="ada@example.org", ACME_SERVER=DIRECTORY, ACME_CA_FILE=ROOT_FILE)

    def _write_override(self, refused_nonces_percent: int = 0) -> None:
        # Fixed addresses: DNS leads to the server before that starts.
        workhorse, (pebble, dns, limited) = self.workhorse, map(str, list(self.network)[3:6])
        # Without reuse every certificate takes a proof of its own.
        knobs = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
        knobs["PEBBLE_WFE_NONCEREJECT"] = str(refused_nonces_percent)
        services = {
            "workhorse": _at(workhorse),
            "pebble": self._program("/usr/bin/pebble", _pebble_options(dns)) | {"environment": knobs} | _at(pebble),
            "dns": self._program("/usr/bin/pebble-challtestsrv", _dns_options(workhorse)) | _at(dns),
            "limited": self._program(limited_acme.__file__, ["/pebble/api.pem"], SERVER_PYTHON) | _at(limited),
        }
        networks = {"default": {"ipam": {"config": [{"subnet": str(self.network)}]}}}
        override = self.stack.folder / "docker-compose.override.yml"
        override.write_text(json.dumps({"services": services, "networks": networks}))

    def _program(self, program: str, options: list[str], *interpreter: str) -> dict[str, Any]:
        """A program of this machine, in a container from the image that is there anyway."""
        return {
            "image": IMAGE,
            "entrypoint": [*interpreter, "/program", *options],
            "volumes": [f"{program}:/program:ro", f"{self.folder}:/pebble:ro"],
            "cap_drop": ["ALL"],
            "stop_signal": "SIGKILL",
        }

    def _write_certificate(self) -> None:
        authority = University()
        pair = authority.issue(["pebble", "limited", "localhost"])
        (self.folder / "api.pem").write_bytes(pair.key_pem() + pair.chain_pem)
        for folder in (self.folder, self.stack.certificates):
            (folder / ROOT_FILE).write_text(authority.root_pem)

    def _write_config(self, validity_seconds: int) -> None:
        config = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/pebble/api.pem",
            "privateKey": "/pebble/api.pem",
            "httpPort": HTTP_PORT,
            "tlsPort": 5001,
            "certificateValidityPeriod": validity_seconds,
            "domainBlocklist": [BLOCKED],
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}))

    def start(self, refused_nonces_percent: int = 0) -> None:
        """Starts it with an empty memory: no account, no certificate, and another root."""
        self._write_override(refused_nonces_percent)
        self.stack.compose("up", "-d", "--no-build", "pebble", "dns")
        poll(lambda: self._asked("pebble", *self._management("roots/0")) or None, wanted="Pebble to answer")
        # Besides those before: what they have signed goes on serving.
        with (self.folder / "issuers.pem").open("a") as issuers:
            issuers.write(self._asked("pebble", *self._management("roots/0")))

    def stop(self) -> None:
        self.stack.compose("stop", "pebble")

    def _management(self, path: str) -> tuple[str, ...]:
        return "--cacert", f"/pebble/{ROOT_FILE}", f"https://localhost:15000/{path}"

    def _asked(self, service: str, *arguments: str) -> str:
        """What curl hears inside a service's container; empty while nobody answers."""
        return self.stack.compose("exec", "-T", service, "curl", "-sf", *arguments, check=False).stdout

    def orders(self) -> int:
        """How many certificates have been asked for since it was last made."""
        return self.stack.compose("logs", "--no-log-prefix", "pebble").stdout.count("POST /order-plz")

    def lead(self, name: str, address: str) -> None:
        """Lets a name lead to another address than the server's."""
        self.tell_dns("add-a", host=name, addresses=[address])

    def lead_back(self, name: str) -> None:
        self.tell_dns("clear-a", host=name)

    def tell_dns(self, path: str, **what: Any) -> None:
        request = ("-d", json.dumps(what), "-w", "%{http_code}", f"http://localhost:8055/{path}")
        poll(lambda: self._asked("dns", *request) == "200" or None, wanted="the DNS server to obey")

    def door(self, name: str) -> Door:
        """To the server as a browser that trusts Pebble's certificates and no other."""
        return Door(("127.0.0.1", self.stack.port), trusting(self.folder / "issuers.pem"), name)

    def names(self, name: str) -> list[str]:
        """The names in the certificate that is served for one."""
        with self.door(name).open() as tls:
            certificate = x509.load_der_x509_certificate(tls.getpeercert(True) or b"")
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.DNSName)


def _at(address: str) -> dict[str, Any]:
    return {"networks": {"default": {"ipv4_address": address}}}


def _pebble_options(dns: str) -> list[str]:
    return ["-config", "/pebble/config.json", "-dnsserver", f"{dns}:8053"]


def _dns_options(default: str) -> list[str]:
    """Every name leads to one address; the servers for challenges that it would also be stay off."""
    off = [word for other in ("http01", "https01", "tlsalpn01") for word in (f"-{other}", "")]
    return ["-defaultIPv4", default, "-defaultIPv6", "", *off]
