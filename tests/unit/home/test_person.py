"""What the person's programs find in their environment."""

from __future__ import annotations

from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.home.person import person_environment


def test_what_a_person_gives_the_lab_reaches_every_notebook_and_the_lab_s_own_settings_none(tmp_path: Path) -> None:
    given = {"HTTPS_PROXY": "http://proxy.example.org:3128", "no_proxy": "localhost", "HF_HOME": "/data", "PORT": "1"}
    found = person_environment({**given, "MEMORY_LIMIT": "2g", "REPOSITORIES": "/data/notebooks"}, Places(tmp_path))
    assert given.items() <= found.items()
    assert not {"MEMORY_LIMIT", "REPOSITORIES"} & set(found)
    assert found["HOME"] == str(tmp_path / "home/workhorse")
    assert found["PATH"].startswith(f"{tmp_path}/home/workhorse/venv/bin:")
