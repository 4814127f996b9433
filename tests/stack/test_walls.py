"""What bounds the two running servers and the kernels, and what they can write to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from entrypoint.settings.settings import variable_names
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import DOOR, KERNELS, LAB, REPOSITORY, Stack, poll

# Volumes, the notebooks, and what is in memory; devices and /proc have tests of their own.
WRITABLE = ("/repositories", "/home/workhorse", "/tmp", "/run/workhorse/server", "/run/kernels", "/dev/shm")
SERVERS = {DOOR: "entrypoint.door.server", LAB: "entrypoint.lab.server", KERNELS: "entrypoint.kernels"}
CAPABILITIES = {
    # Hostile files lie before the others' starts alone, and those may pass no lock.
    LAB: {"CHOWN", "SETGID", "SETPCAP", "SETUID"},
    KERNELS: {"CHOWN", "SETGID", "SETPCAP", "SETUID"},
    DOOR: {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETPCAP", "SETUID"},
}


@pytest.mark.parametrize(("service", "server"), SERVERS.items())
def test_a_server_has_no_rights_but_its_user_s(stack: Stack, service: str, server: str) -> None:
    for process in ("1", f"$(pgrep -P 1 -f {server})"):
        status = stack.shell_of(service)(f"cat /proc/{process}/status")
        assert "Uid:\t1000\t1000\t1000\t1000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert f"Cap{kind}:\t0000000000000000" in status


@pytest.mark.parametrize(("service", "needed"), CAPABILITIES.items())
def test_a_start_has_the_capabilities_that_it_needs_and_no_other(stack: Stack, service: str, needed: set[str]) -> None:
    host = stack.container_of(service).attrs["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    added = {name.removeprefix("CAP_") for name in host["CapAdd"]}
    assert added == needed
    assert not host["Privileged"]


@pytest.mark.parametrize("service", SERVERS)
def test_no_process_of_root_is_left(stack: Stack, service: str) -> None:
    def users() -> list[str]:
        rows = stack.container_of(service).top(ps_args="-eo uid,pid,args")["Processes"]
        return [row[0] for row in rows if "healthcheck" not in " ".join(row)]

    # A health check is root's for a moment, and called by no name yet.
    poll(lambda: set(users()) == {"1000"} or None, wanted="no process of root")
    assert len(users()) >= 2


def test_a_kernel_has_no_more_rights_than_the_server(client: Client) -> None:
    status = dict(
        line.split(":\t", 1) for line in client.run("print(open('/proc/self/status').read())").splitlines()[:-1]
    )
    assert status["Uid"] == status["Gid"] == "1000\t1000\t1000\t1000"
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert set(status["Groups"].split()) <= {"1000"}


def from_kernel(client: Client, code: str) -> Any:
    """What code leaves in `found`, run in a kernel."""
    return json.loads(client.run(f"import json, os, stat\n{code}\nprint(json.dumps(found))"))


def test_a_kernel_writes_nowhere_but_to_its_volumes_and_memory(client: Client) -> None:
    """Every folder and file of the image is asked for, and in the upper folders it is tried too."""
    code = f"""
skipped = ({WRITABLE!r}) + ("/proc", "/sys", "/dev")
found, seen = [], 0
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in skipped]
    paths = [folder, *(os.path.join(folder, name) for name in files)]
    seen += len(paths)
    found += [path for path in paths if not os.path.islink(path) and os.access(path, os.W_OK)]
    if folder.count("/") <= 2:
        try:
            os.close(os.open(os.path.join(folder, "written"), os.O_CREAT | os.O_WRONLY))
            found.append(folder)
        except OSError:
            pass
assert seen > 20_000, seen
tried = [os.path.join(folder, "written") for folder in {WRITABLE!r}]
for path in tried:
    open(path, "w").close()
    os.remove(path)
"""
    assert from_kernel(client, code) == []


def test_a_kernel_can_t_turn_the_machine_s_knobs(client: Client) -> None:
    code = """
found = []
for top in ("/sys", "/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs"):
    for folder, _, files in os.walk(top):
        paths = [folder, *(os.path.join(folder, name) for name in files)]
        found += [path for path in paths if not os.path.islink(path) and os.access(path, os.W_OK)]
found += [path for path in ("/proc/sysrq-trigger", "/proc/kmsg") if os.access(path, os.W_OK)]
"""
    assert from_kernel(client, code) == []


def test_a_kernel_has_no_device_but_the_harmless_ones(client: Client) -> None:
    code = """
found = []
for folder, folders, files in os.walk("/dev"):
    for path in (os.path.join(folder, name) for name in files):
        kind = os.stat(path, follow_symlinks=False).st_mode
        if (stat.S_ISBLK(kind) or stat.S_ISCHR(kind)) and os.access(path, os.W_OK):
            found.append(path)
"""
    devices = {path for path in from_kernel(client, code) if not path.startswith("/dev/pts/")}
    assert devices <= {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}


def test_a_kernel_reaches_no_socket_of_the_engine_and_no_folder_of_the_host(stack: Stack, client: Client) -> None:
    code = """
found = {"sockets": [], "mounts": []}
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    found["sockets"] += [path for path in (os.path.join(folder, name) for name in files)
                         if stat.S_ISSOCK(os.lstat(path).st_mode)]
found["mounts"] = [line.split()[4] for line in open("/proc/self/mountinfo")]
"""
    found = from_kernel(client, code)
    assert [path for path in found["sockets"] if not path.startswith(WRITABLE)] == []
    assert [path for path in found["sockets"] if "docker" in path or "containerd" in path] == []
    binds = {mount["Destination"] for mount in stack.kernels.attrs["Mounts"]}
    assert binds == {"/repositories", "/home/workhorse", "/tmp", "/run/kernels", "/run/secrets/ca"}
    host_s = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    of_the_engine = ("/proc", "/sys", "/dev", "/run/workhorse", "/")
    rest = {path for path in found["mounts"] if path not in binds | host_s}
    assert not {
        path for path in rest if path not in of_the_engine and not path.startswith(("/proc/", "/sys/", "/dev/"))
    }


def test_the_door_mounts_nothing_that_people_s_code_can_write_to(stack: Stack) -> None:
    mounts = {mount["Destination"]: mount for mount in stack.container.attrs["Mounts"]}
    assert mounts.keys() == {
        "/certificates", "/var/lib/workhorse", "/run/lab", "/run/kernels", "/run/secrets/ca",
        "/run/secrets/jupyter_password",
    }  # fmt: skip
    # Docker's secrets from files are mounted read-only by Compose.
    assert {place for place, mount in mounts.items() if mount["RW"]} == {"/var/lib/workhorse"}
    lab, kernels = (
        {mount.get("Name") for mount in each.attrs["Mounts"] if mount["Type"] == "volume"}
        for each in (stack.lab, stack.kernels)
    )
    assert mounts["/var/lib/workhorse"]["Name"] not in lab | kernels
    # A way of its own to each, which the other has no part in.
    assert mounts["/run/lab"]["Name"] in lab - kernels
    assert mounts["/run/kernels"]["Name"] in kernels - lab


@pytest.mark.parametrize("service", [LAB, KERNELS])
def test_no_port_leads_to_what_stands_behind_the_door(stack: Stack, service: str) -> None:
    assert not stack.container_of(service).attrs["HostConfig"]["PortBindings"]
    # Nor does it listen on any, for who is in the same network.
    assert listening(stack.shell_of(service)) == set()
    assert listening(stack.door_shell) == {8888}


def test_kernels_are_no_neighbour_of_the_door(stack: Stack) -> None:
    """Or a notebook would come past BIND_ADDRESS, from an address that TRUSTED_PROXIES may hold."""
    door, kernels = (set(each.attrs["NetworkSettings"]["Networks"]) for each in (stack.container, stack.kernels))
    assert door and kernels and not door & kernels
    ask = f"exec 3<>/dev/tcp/{stack.address}/8888"
    assert stack.shell(f"timeout 3 bash -c '{ask}' 2>/dev/null && echo reached || echo apart") == "apart\n"
    assert stack.door_shell(f"timeout 3 bash -c '{ask}' && echo reached") == "reached\n"


def test_the_lab_is_in_no_network(stack: Stack) -> None:
    assert stack.lab_shell("ls /sys/class/net") == "lo\n"


def listening(shell: Callable[[str], str]) -> set[int]:
    """The TCP ports that a container's processes listen on for others (proc(5), /proc/net/tcp: 0A is LISTEN)."""
    rows = [line.split() for line in shell("cat /proc/net/tcp /proc/net/tcp6").splitlines()]
    everywhere = {place for place in (row[1] for row in rows if row[3] == "0A") if set(place.split(":")[0]) == {"0"}}
    return {int(place.split(":")[1], 16) for place in everywhere}


def test_no_process_tells_a_kernel_the_password_or_the_settings(client: Client) -> None:
    """Neither the kernel's own environment nor what /proc shows of any other process."""
    code = """
found = {}
for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            found[f"{process} {name}"] = open(f"/proc/{process}/{name}", errors="replace").read().split(chr(0))
        except OSError:
            pass
"""
    readable = from_kernel(client, code)
    assert len([key for key in readable if key.endswith("environ")]) >= 2
    for key, lines in readable.items():
        assert PASSWORD not in "".join(lines), key
        names = {line.partition("=")[0] for line in lines} if key.endswith("environ") else set()
        assert not names & set(variable_names()), key


def test_a_kernel_inherits_nothing_that_is_the_server_s(client: Client) -> None:
    names = set(from_kernel(client, "found = list(os.environ)"))
    # The folder of the kernels' connection files is no secret: it is the person's own.
    ours = {name for name in names if name.startswith("JUPYTER") or name in variable_names()} - {"JUPYTER_RUNTIME_DIR"}
    assert not ours | (names & {"OPENSSL_CONF", "PYTHONPATH", "LD_PRELOAD"})


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


def test_arrays_that_joblib_shares_lie_on_the_disk(client: Client) -> None:
    """Which it decides by the size of the shared memory, whatever the array's own."""
    code = """
import joblib, numpy, os
from joblib._memmapping_reducer import _get_temp_dir
folder, is_shared = _get_temp_dir("asked")
def look(array): return type(array).__name__, os.path.realpath(array.filename).split("/")[1], float(array.sum())
print(folder.split("/")[1], is_shared, *joblib.Parallel(n_jobs=2)([joblib.delayed(look)(numpy.ones(10**7))] * 2))
"""
    assert client.run(code) == "tmp False ('memmap', 'tmp', 10000000.0) ('memmap', 'tmp', 10000000.0)\n"


def test_shared_memory_suffices_for_numerical_workers(client: Client) -> None:
    code = """
from multiprocessing.shared_memory import SharedMemory
import os
memory = SharedMemory(create=True, size=600 * 2**20)
memory.buf[::4096] = b"x" * (600 * 2**20 // 4096)
print(os.path.exists("/dev/shm/" + memory.name))
memory.close(); memory.unlink()
"""
    assert client.run(code) == "True\n"


def test_programs_may_be_built_and_run_in_tmp(client: Client) -> None:
    script = "open('/tmp/x', 'w').write('#!/bin/sh\\necho ran'); os.chmod('/tmp/x', 0o755)"
    assert (
        client.run(f"import os, subprocess; {script}; print(subprocess.check_output('/tmp/x').decode())") == "ran\n\n"
    )


def test_when_memory_runs_out_kernels_are_chosen_before_the_server(stack: Stack, client: Client) -> None:
    assert client.run("print(open('/proc/self/oom_score_adj').read())") == "500\n\n"
    for process in ("1", f"$(pgrep -P 1 -f {SERVERS[KERNELS]})"):
        assert int(stack.shell(f"cat /proc/{process}/oom_score_adj")) < 500


@pytest.mark.parametrize(
    ("service", "some"),
    [
        (DOOR, {"tornado", "cryptography", "argon2-cffi", "certbot", "pyotp"}),
        (LAB, {"jupyter-server", "jupyterlab", "tornado"}),
        (KERNELS, {"jupyter-server", "jupyter-lsp", "tornado"}),
    ],
)
def test_each_image_holds_a_bill_of_its_server_s_packages(stack: Stack, service: str, some: set[str]) -> None:
    bill = json.loads(stack.shell_of(service)("cat /opt/server/sbom.cdx.json"))
    assert bill["bomFormat"] == "CycloneDX"
    versions = {each["name"].lower().replace("_", "-"): each["version"] for each in bill["components"]}
    lock = REPOSITORY / f"requirements-{'door' if service == DOOR else service}.lock"
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock.read_text(), re.MULTILINE))
    in_both = versions.keys() & locked.keys()
    assert some <= in_both
    assert {name: versions[name] for name in in_both} == {name: locked[name] for name in in_both}


@pytest.mark.parametrize("service", SERVERS)
def test_no_limit_of_memory_is_none(stack: Stack, service: str) -> None:
    host = stack.container_of(service).attrs["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (0, 0)


@pytest.mark.parametrize(("service", "processes"), [(DOOR, 512), (LAB, 512), (KERNELS, 16384)])
def test_processes_and_logs_are_limited(stack: Stack, service: str, processes: int) -> None:
    host = stack.container_of(service).attrs["HostConfig"]
    assert host["PidsLimit"] == processes
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
    assert "tini" in stack.door_shell("cat /proc/1/comm")
    assert "tini" in stack.lab_shell("cat /proc/1/comm")


def test_the_server_calls_nobody_by_itself(stack: Stack, client: Client) -> None:
    assert client.session.get(f"{stack.url}/lab/api/update", timeout=30).json() == {"notification": None}
    # Where JupyterLab asks for news stands the login before this one.
    news = client.session.get(f"{stack.url}/lab/api/news", timeout=30).json()["news"]
    assert all(each["message"].startswith("Last login before this one") for each in news)
