"""Enrols a phone as a second factor: `workhorse totp`."""

from __future__ import annotations

import argparse

from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.login.second_factor import new_second_factor, provisioning_uri, to_json
from entrypoint.settings.known import read_known_settings


def totp(places: Places, _: argparse.Namespace) -> int:
    import segno

    settings = read_known_settings(places).settings
    factor, recovery_codes = new_second_factor()
    write_private(places.second_factor, to_json(factor).encode())
    host = settings.server_names[0].text if settings.server_names else "workhorse"
    print("Scan this with an authenticator app:\n")
    segno.make(provisioning_uri(factor, host)).terminal(compact=True)
    print(f"or type this key into it: {factor.secret}\n")
    print("Recovery codes, each good for one login without the phone. Write them down; they are shown this once:")
    for code in recovery_codes:
        print(f"  {code}")
    print(
        "\nThe login asks for a code from now on. Who is logged in stays so, unless you run: "
        "docker compose exec workhorse workhorse sign-out"
        if settings.totp
        else "\nThe login doesn't ask for a code yet. In .env: TOTP=on   then: docker compose up -d\n"
        "Who is logged in by then stays so, unless you run: docker compose exec workhorse workhorse sign-out"
    )
    return 0
