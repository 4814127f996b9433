"""Device ids, as Syncthing 1.29 made and accepted them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from entrypoint.laptops.device_id import device_id, parse_device_id, short_id
from entrypoint.laptops.device_key import make_device_key, read_device_key

# Of two `syncthing generate`s.
ID = "74DQ62X-5LHPC4X-NUH5YEI-F3YRM3G-DBU2TDD-7A4LHH6-M5PT4QO-TTDI6QD"
OTHER = "RD37VAL-6XAELIZ-W4FDYZE-3FHU4B7-ZXYQ2F2-VHL4DVC-D4SROLF-6FTHTAP"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "typed", [ID, ID.lower(), ID.replace("-", ""), f" {ID.replace('-', ' ')}\n", ID.replace("O", "0")]
)
def test_an_id_is_read_however_it_was_typed(typed: str) -> None:
    assert parse_device_id(typed) == ID


def test_another_one_too() -> None:
    assert parse_device_id(OTHER) == OTHER


@pytest.mark.parametrize("typed", ["", "ada", ID[:-1], f"{ID}A", ID.replace("7", "9"), "é" * 56])
def test_what_has_another_form_is_none(typed: str) -> None:
    with pytest.raises(ValueError, match="is not eight groups of seven"):
        parse_device_id(typed)


@pytest.mark.parametrize("place", [index for index, letter in enumerate(ID) if letter != "-"])
def test_one_mistyped_letter_is_noticed_wherever_it_is(place: int) -> None:
    mistyped = ID[:place] + ("A" if ID[place] != "A" else "B") + ID[place + 1 :]
    with pytest.raises(ValueError, match="has a mistyped letter"):
        parse_device_id(mistyped)


def test_a_key_is_read_back_with_the_id_of_its_certificate() -> None:
    device, certificate, key = read_device_key(make_device_key(NOW))
    assert parse_device_id(device) == device
    assert device == device_id(x509.load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER))
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert short_id(device) == device[:7]


def test_no_two_keys_are_the_same() -> None:
    assert read_device_key(make_device_key(NOW))[0] != read_device_key(make_device_key(NOW))[0]


def test_a_key_beside_another_s_certificate_is_refused(tmp_path: Path) -> None:
    one, two = make_device_key(NOW), make_device_key(NOW)
    begin = b"-----BEGIN CERTIFICATE-----"
    with pytest.raises(ValueError, match="don't belong together"):
        read_device_key(one.partition(begin)[0] + begin + two.partition(begin)[2])


def test_openssl_reads_it_as_what_syncthing_expects(tmp_path: Path) -> None:
    (tmp_path / "sync.pem").write_bytes(make_device_key(NOW))
    command = ["openssl", "x509", "-in", str(tmp_path / "sync.pem"), "-noout", "-subject", "-ext", "subjectAltName"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "syncthing" in said.splitlines()[0]
    assert "DNS:syncthing" in said
