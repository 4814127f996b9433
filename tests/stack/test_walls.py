"""What bounds the running server, and what it can write to."""

from __future__ import annotations

from tests.clients import Client
from tests.stacks import Stack


def test_the_server_has_no_rights_but_its_user_s(stack: Stack) -> None:
    for process in ("1", "$(pgrep -P 1)"):
        status = stack.shell(f"cat /proc/{process}/status")
        assert "Uid:\t1000\t1000\t1000\t1000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert f"Cap{kind}:\t0000000000000000" in status


def test_no_process_of_root_is_left(stack: Stack) -> None:
    rows = stack.container.top(ps_args="-eo uid,pid,args")["Processes"]
    servers = [row for row in rows if "healthcheck" not in " ".join(row)]
    assert len(servers) >= 2
    assert {row[0] for row in servers} == {"1000"}


def test_the_image_can_t_be_changed_from_a_kernel(client: Client) -> None:
    code = """
import os
for folder in ("/", "/etc", "/usr/bin", "/run", "/opt/server", "/opt/workhorse", "/opt/conda/envs/default"):
    assert not os.access(folder, os.W_OK), folder
for folder in ("/repositories", "/home/workhorse", "/tmp", "/dev/shm"):
    assert os.access(folder, os.W_OK), folder
print("bounded")
"""
    assert client.run(code) == "bounded\n"


def test_shared_memory_suffices_for_numerical_workers(client: Client) -> None:
    printed = client.run("import os; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize)")
    assert int(printed) == 2 * 1024**3


def test_programs_may_be_built_and_run_in_tmp(client: Client) -> None:
    script = "open('/tmp/x', 'w').write('#!/bin/sh\\necho ran'); os.chmod('/tmp/x', 0o755)"
    assert (
        client.run(f"import os, subprocess; {script}; print(subprocess.check_output('/tmp/x').decode())") == "ran\n\n"
    )


def test_processes_and_logs_are_limited(stack: Stack) -> None:
    host = stack.container.attrs["HostConfig"]
    assert host["PidsLimit"] == 8192
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["ReadonlyRootfs"]


def test_orphans_are_reaped(stack: Stack, client: Client) -> None:
    code = """
import subprocess, time
subprocess.run(["bash", "-c", "(sleep 0.2; exit 0) & exit 0"])
deadline = time.monotonic() + 20
def zombies():
    lines = subprocess.check_output(["ps", "axo", "stat,args"]).decode().splitlines()
    return [line for line in lines if line.startswith("Z")]
time.sleep(0.5)
while zombies() and time.monotonic() < deadline: time.sleep(0.1)
print("zombies", zombies())
"""
    assert client.run(code) == "zombies []\n"
    assert "tini" in stack.shell("cat /proc/1/comm")


def test_the_server_calls_nobody_by_itself(stack: Stack, client: Client) -> None:
    page = client.session.get(f"{stack.url}/lab", timeout=30).text
    assert '"news": {"disabled": true}' in page or '"news":{"disabled":true}' in page.replace(" ", "")
    check = client.session.get(f"{stack.url}/lab/api/update", timeout=30).json()
    assert check["notification"] is None
