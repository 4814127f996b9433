"""A folder that Dropbox, Nextcloud, OneDrive or a network drive rewrites on the host, while people work in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import requests

from tests.clients import Client
from tests.stacks import Stack

OWNER = 1000


def sync_in(path: Path, text: str) -> None:
    """As such programs do: a hidden file beside it, renamed over what is there, with a time from elsewhere."""
    path.parent.mkdir(exist_ok=True)
    half = path.with_name(f".{path.name}.~sync")
    half.write_text(text)
    os.utime(half, (1_700_000_000, 1_700_000_000))
    for each in (path.parent, half):
        os.chown(each, OWNER, OWNER)
    half.rename(path)


def text_in(client: Client, path: str) -> str:
    return str(client.api("GET", f"contents/{path}")["content"])


def names_in(client: Client, path: str) -> list[str]:
    """Without those that are hidden, as Jupyter's own copies are."""
    names = (each["name"] for each in client.api("GET", f"contents/{path}")["content"])
    return sorted(name for name in names if not name.startswith("."))


def save(client: Client, path: str, text: str) -> None:
    client.api("PUT", f"contents/{path}", type="file", format="text", content=text)


def test_what_is_renamed_over_a_file_is_read_and_saved_over(stack: Stack, client: Client) -> None:
    path = stack.repositories / "drive" / "notes.txt"
    sync_in(path, "first")
    assert text_in(client, "drive/notes.txt") == "first"
    with_kernel = client.start_kernel()
    read = "print(open('/repositories/drive/notes.txt').read())"
    for text in ("of another machine", "and once more"):
        sync_in(path, text)
        assert text_in(client, "drive/notes.txt") == text
        assert with_kernel.run(read) == f"{text}\n"
    with_kernel.shut_down()
    save(client, "drive/notes.txt", "saved here")
    assert path.read_text() == "saved here"
    assert path.stat().st_uid == OWNER
    assert names_in(client, "drive") == ["notes.txt"]


def test_what_is_deleted_and_made_anew_is_there_again(stack: Stack, client: Client) -> None:
    folder = stack.repositories / "project"
    sync_in(folder / "fit.py", "before = 1")
    kernel = client.start_kernel(path="project")
    assert kernel.run("print(open('fit.py').read())") == "before = 1\n"
    shutil.rmtree(folder)
    with pytest.raises(requests.HTTPError, match="404"):
        client.api("GET", "contents/project/fit.py")
    sync_in(folder / "fit.py", "after = 2")
    assert text_in(client, "project/fit.py") == "after = 2"
    save(client, "project/fit.py", "saved = 3")
    assert (folder / "fit.py").read_text() == "saved = 3"
    # A process stays in the folder that was deleted, by any name, until it is told to go back.
    assert kernel.run("import os; os.chdir('/repositories/project'); print(open('fit.py').read())") == "saved = 3\n"
    kernel.shut_down()
    again = client.start_kernel(path="project")
    assert again.run("print(open('fit.py').read())") == "saved = 3\n"
    again.shut_down()


def test_a_name_whose_case_is_changed_is_one_file_by_its_new_name(stack: Stack, client: Client) -> None:
    folder = stack.repositories / "cases"
    notebook = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": []}
    sync_in(folder / "Fit.ipynb", json.dumps(notebook))
    assert names_in(client, "cases") == ["Fit.ipynb"]
    (folder / "Fit.ipynb").rename(folder / "fit.ipynb")
    assert names_in(client, "cases") == ["fit.ipynb"]
    with pytest.raises(requests.HTTPError, match="404"):
        client.api("GET", "contents/cases/Fit.ipynb")
    client.api("PUT", "contents/cases/fit.ipynb", type="notebook", format="json", content=notebook)
    assert names_in(client, "cases") == ["fit.ipynb"]
