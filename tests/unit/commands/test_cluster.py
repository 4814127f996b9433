"""What `workhorse cluster` asks of who types it, before anything is signed."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import pytest

from entrypoint.certificates.machines import read_machines
from entrypoint.commands.cluster import IMAGE, PROJECT, as_root, joining, run, script
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.settings.settings import from_environ
from tests.unit.certificates.test_machines import NOW, with_cluster

ON = {IMAGE: "workhorse-cluster", PROJECT: "workhorse"}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = with_cluster(tmp_path)
    places.known_settings.parent.mkdir(parents=True, exist_ok=True)
    known = {"environ": {"CLUSTER_ADDRESS": "192.0.2.1"}, "has_password": False}
    places.known_settings.write_text(json.dumps(known))
    return places


def asked(action: str | None, machine: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(action=action, machine=machine)


def test_the_line_names_image_and_machine_and_signs_nothing(places: Places) -> None:
    settings = from_environ({"WORKERS": "4", "WORKER_MEMORY": "16g"})
    line = list(joining(as_root(places, asked("join", "ada@bigmem.lan"), ON), settings))[2]
    assert line.startswith("docker save workhorse-cluster | ssh ada@bigmem.lan docker load && ")
    assert "workhorse cluster bundle ada@bigmem.lan </dev/null | ssh ada@bigmem.lan " in line
    assert line.endswith(" WORKERS=4 WORKER_MEMORY=16g WORKER_CORES=1 sh")
    assert not places.cluster_machines.exists()


@pytest.mark.parametrize("machine", [None, "", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a/1", "ü", "a@b@c", "a" * 65])
def test_what_is_no_machine_is_refused(places: Places, machine: str | None) -> None:
    for action in ("join", "bundle", "remove"):
        with pytest.raises(WorkhorseError, match=rf"machine.*\n.*cluster {action} ada@bigmem"):
            as_root(places, asked(action, machine), ON)
    assert not places.cluster_machines.exists()


def test_where_others_can_t_reach_it_the_lines_are_told_that_let_them(places: Places) -> None:
    with pytest.raises(WorkhorseError, match=r"compose/cluster-join\.yml[\s\S]*CLUSTER_ADDRESS=") as refused:
        as_root(places, asked("join", "bigmem"), {})
    assert "No other machine reaches this cluster yet." in str(refused.value)
    with pytest.raises(WorkhorseError, match="'leave' is nothing that cluster can do"):
        as_root(places, asked("leave", "bigmem"), ON)


def test_without_a_cluster_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkhorseError, match="No cluster is switched on"):
        as_root(Places(tmp_path), asked("join", "bigmem"), ON)


def test_a_bundle_is_a_script_that_does_nothing_unless_it_is_whole(places: Places) -> None:
    prepared = as_root(places, asked("bundle", "ada@bigmem"), ON)
    assert prepared.bundle
    assert [each.name for each in read_machines(places, NOW)] == ["bigmem"]
    text = script(prepared, prepared.bundle, from_environ({"CLUSTER_ADDRESS": "192.0.2.1", "CLUSTER_PORT": "8787"}))
    # What runs has a stand-in in its place, which says so.
    values = 'docker() { echo ran "$@"; }\n' + text.rpartition("\njoin\n")[0]
    shown = subprocess.run(["sh"], input=f"{values}\necho $machine $image $address $port\necho \"$pair\"", text=True,
                           capture_output=True, check=True).stdout  # fmt: skip
    assert shown == f"bigmem workhorse-cluster 192.0.2.1 8787\n{prepared.bundle.pair.decode()}\n"


def test_a_machine_is_removed_also_where_the_scheduler_can_t_be_told(places: Places) -> None:
    as_root(places, asked("bundle", "bigmem"), ON)
    arguments = asked("remove", "bigmem")
    arguments.prepared = as_root(places, arguments, {})
    with pytest.raises(WorkhorseError, match="bigmem is let in no more by a scheduler that starts anew"):
        run(places, arguments)
    assert places.cluster.revoked.exists()
