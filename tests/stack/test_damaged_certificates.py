"""Whatever becomes of the files in the volume, the server answers with TLS that verifies, and says why."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from entrypoint.authority import Authority, load_authority, make_authority
from entrypoint.certificate import load_certificate
from entrypoint.names import LOCAL_NAMES, ServerName
from tests.conftest import PASSWORD
from tests.handshakes import Door, trusting
from tests.pki import Pair, University, replace_file
from tests.stacks import Stack, new_stack, poll, running

OWN, PUBLIC = "lab.example.org", "desk.example.org"
FOLDER = "/var/lib/workhorse/tls"
DAMAGES = ("expired", "not yet valid", "wrong key", "wrong owner", "truncated", "empty", "directory")
FILES = ("authority.pem", "server.pem", "own.pem", f"public-{PUBLIC}.pem", "attempts.json")
ASIDE = r"can't be used \(.+\); it is kept as .+set-aside-\d+"
BOUND = "its key and its certificate don't belong together"
# What the log says of it while the server runs, as a pattern; nothing where the copy is made again from the original,
# and where only what was tried when is lost.
SAID = {
    "authority.pem": {"expired": "The old one: it ended on", "not yet valid": "The old one: it is valid only from"},
    "server.pem": {"expired": "The old one: its last day is", "not yet valid": "The old one: it is valid only from"},
    "own.pem": dict.fromkeys(DAMAGES, "") | dict.fromkeys(("wrong owner", "directory"), ASIDE),
    f"public-{PUBLIC}.pem": dict.fromkeys(DAMAGES, "No longer serving: .*its file is gone or damaged")
    | dict.fromkeys(("wrong owner", "directory"), ASIDE),
    "attempts.json": dict.fromkeys(DAMAGES, "") | dict.fromkeys(("wrong owner", "directory"), ASIDE),
}


def pem(key: serialization.PrivateFormat | Authority | Pair) -> bytes:
    return key.pem if isinstance(key, Authority) else key.key_pem() + key.chain_pem  # type: ignore[union-attr]
