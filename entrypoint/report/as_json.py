"""The state of a running server for other programs, the door's own page among them: `workhorse status --json`."""

from __future__ import annotations

import json
from datetime import datetime

from entrypoint.files.places import Places
from entrypoint.report.audit import judge
from entrypoint.report.message import Status, addresses
from entrypoint.report.status import read_status
from entrypoint.settings.known import read_known_settings


def status_as_json(places: Places, now: datetime) -> str:
    """What `status` and `audit` tell, but for what only the password's own environment shows.

    Raises:
        WorkhorseError: There are no certificates yet, or none that can be read.
    """
    return json.dumps(told(read_status(places, now)) | {"audit": findings(places, now)}, indent=1)


def told(status: Status) -> dict[str, object]:
    return {
        "addresses": list(addresses(status.settings)),
        "folder": status.settings.repositories,
        "kernels": list(status.kernels),
        "cards": list(status.cards),
        "disks": list(status.disks),
        "last_backup": status.last_backup,
        "laptops": list(status.laptops),
        "certificates": [
            {"kind": served.kind, "last_day": served.last_day, "names": list(served.names)} for served in status.served
        ],
        "fingerprint": status.authority.fingerprint,
        "next": list(status.plans),
        "attention": list(status.warnings),
        "recovery_codes": status.recovery_codes,
    }


def findings(places: Places, now: datetime) -> list[dict[str, str]]:
    found = judge(read_known_settings(places), places, now)
    return [{"what": each.what, "remedy": each.remedy} for each in found]
