"""A cluster with the real Dask: who takes part, what it withstands, and whom it refuses."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import ClassVar

import docker
import pytest
import websocket
from docker.models.containers import Container

from entrypoint.certificates.authority import make_authority
from entrypoint.certificates.cluster import BOTH_SIDES, NAMES
from entrypoint.certificates.leaf import make_certificate
from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import (
    DOOR,
    IMAGE,
    KERNELS,
    KERNELS_IMAGE,
    REPOSITORY,
    SERVICES,
    Stack,
    free_port,
    new_stack,
    poll,
    prepared,
)

PIECES = (REPOSITORY / "compose" / "cluster.yml", REPOSITORY / "tests" / "cluster.yml")
SCHEDULER, WORKER, WORKERS = "scheduler", "worker", 2
WORKER_MEGABYTES = 512
# A worker's imports take a second, on a busy machine many.
START_SECONDS = 120
REFUSAL_SECONDS = 10.0
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
CONNECT = "from dask.distributed import Client, get_worker; client = Client(); client.wait_for_workers(2, 60)"
# Twice as many numbers as all workers' memory holds, in pieces of 16 MB.
LARGE = f"""
import dask.array
array = dask.array.random.random(({2 * WORKERS * WORKER_MEGABYTES // 16}, 2_000_000), chunks=(1, 2_000_000)).persist()
print(round(float(array.mean().compute()), 2))
spilled = sum(each["metrics"]["spilled_bytes"]["disk"] for each in client.scheduler_info(-1)["workers"].values())
print(spilled)
"""
# So many that one more or less on a worker is little; each is about a thirtieth of a second of a whole core's.
PIECES_OF_WORK = 32
WORK = f"""
import time
def piece(number):
    for _ in range(2_000_000):
        number += 1
    return number, get_worker().address
def timed(seed, workers):
    start = time.monotonic()
    done = client.gather(client.map(piece, range(seed, seed + {PIECES_OF_WORK}), workers=workers))
    return time.monotonic() - start, [address for _, address in done]
"""


class ClusterStack(Stack):
    more_files: ClassVar[tuple[Path, ...]] = PIECES


# Comes in as a client does, and is gone while the scheduler says the first word.
HANG_UP = """
import socket, struct
for _ in range(400):
    with client.connection_args["ssl_context"].wrap_socket(socket.create_connection(("scheduler", 8786))) as tls:
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
print(client.submit(sum, [1, 2]).result())
"""
# Keeps the headers of whatever the scheduler's pages are asked for.
LISTEN_IN = """
def listen(dask_scheduler):
    dask_scheduler.heard = []
    application = dask_scheduler.http_application
    for each in [application, *getattr(application, 'applications', [])]:
        each.settings['log_function'] = lambda handler: dask_scheduler.heard.append(
            (handler.request.path, dict(handler.request.headers)))
client.run_on_scheduler(listen)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("cluster")
    alone = new_stack(folder, JUPYTER_PASSWORD=PASSWORD, WORKER_MEMORY=f"{WORKER_MEGABYTES}m")
    with prepared(ClusterStack(alone.folder, alone.project, alone.port)) as stack:
        up(stack)
        yield stack


def up(stack: Stack) -> None:
    stack.set(WORKERS=str(WORKERS))
    stack.compose("up", "-d", "--no-build", "--wait", "--wait-timeout", str(START_SECONDS))


@pytest.fixture(scope="module")
def logged_in(cluster: Stack) -> Iterator[Client]:
    with Client(cluster.url, cluster.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        yield client


@pytest.fixture
def kernel(logged_in: Client) -> Iterator[Kernel]:
    """A notebook that is connected."""
    kernel = logged_in.start_kernel()
    assert kernel.run(CONNECT) == ""
    yield kernel
    kernel.shut_down()


def workers(stack: Stack) -> list[Container]:
    return stack.containers_of(WORKER)


def address(container: Container) -> str:
    return str(next(iter(container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"])


def kill(container: Container, process: str) -> None:
    """kill -9, inside, so that Docker takes it for a crash."""
    container.exec_run(["/bin/sh", "-c", f"kill -9 {process}"], user="1000")


def throttle(stack: Stack, cores: float) -> None:
    """So that two workers have twice the time of one, whatever else the machine does."""
    names = [str(each.id) for each in workers(stack)]
    subprocess.run(["docker", "update", f"--cpus={cores}", *names], capture_output=True, check=True)


def test_a_client_is_connected_with_nothing_typed(logged_in: Client) -> None:
    told = logged_in.run(
        "from dask.distributed import Client; c = Client(); c.wait_for_workers(2, 60)\n"
        "print(c.scheduler.address, len(c.scheduler_info(-1)['workers']), c.submit(pow, 2, 5).result())"
    )
    assert re.fullmatch(r"tls://scheduler:8786 2 32\n", told)


def test_workers_see_the_notebooks_and_the_packages_of_a_notebook(kernel: Kernel, cluster: Stack) -> None:
    (cluster.repositories / "data.txt").write_text("here")
    see = "lambda: (open('/repositories/data.txt').read(), __import__('sys').prefix, __import__('os').getuid())"
    assert kernel.run(f"print(set(client.run({see}).values()))") == "{('here', '/home/workhorse/venv', 1000)}\n"


def test_each_worker_has_what_its_settings_say(kernel: Kernel) -> None:
    told = kernel.run(
        "print([(w['nthreads'], w['memory_limit']) for w in client.scheduler_info(-1)['workers'].values()])"
    )
    assert told == f"{[(1, int(WORKER_MEGABYTES * 2**20 * 0.9))] * WORKERS}\n"


def test_two_workers_share_the_work(kernel: Kernel, cluster: Stack) -> None:
    throttle(cluster, 0.25)
    kernel.run(WORK + "one, both = list(client.scheduler_info(-1)['workers'])[:1], None")
    told = kernel.run(
        # The best of three, by turns: what else the machine does makes each longer, and none shorter.
        "rounds = [(timed(i, one)[0], *timed(i + 100, both)) for i in (1000, 2000, 3000)]\n"
        "alone, together, where = min(r[0] for r in rounds), min(r[1] for r in rounds), rounds[-1][2]\n"
        "print(f'{alone:.2f} s with one worker, {together:.2f} s with two: {alone / together:.2f} times')\n"
        "print(sorted(where.count(each) for each in set(where)))",
        2 * START_SECONDS,
    )
    throttle(cluster, 1)
    print(told)
    shares = json.loads(told.splitlines()[1])
    assert sum(shares) == PIECES_OF_WORK
    assert min(shares) >= PIECES_OF_WORK / 4


def test_what_is_larger_than_all_memory_is_computed_by_way_of_the_disk_and_that_is_told(
    kernel: Kernel, cluster: Stack
) -> None:
    mean, spilled = kernel.run(LARGE, START_SECONDS).split()
    assert mean == "0.5"
    assert int(spilled) > WORKERS * WORKER_MEGABYTES * 1_000_000 / 2
    told = re.findall(r" of 0\.4 GB, (\d\.\d) GB on disk ", cluster.workhorse("cluster"))
    assert len(told) == WORKERS
    assert all(float(each) > 0 for each in told)
    assert kernel.run("del array") == ""


def test_workers_are_told_of_while_they_compute(kernel: Kernel, cluster: Stack) -> None:
    """For as long as it takes until each has told of the times that its tasks took."""
    kernel.run(
        "import time\ndef brief(x):\n    time.sleep(0.05)\n    return x\nfutures = client.map(brief, range(800))"
    )
    for _ in range(8):
        assert len(re.findall(r" of 0\.4 GB", cluster.workhorse("cluster"))) == WORKERS
    assert kernel.run("print(sum(client.gather(futures)))") == f"{sum(range(800))}\n"


def test_a_worker_that_is_killed_costs_no_result(kernel: Kernel, cluster: Stack) -> None:
    kernel.run("import time, os\ndef slow(x):\n    time.sleep(0.2)\n    return x * x")
    pids = dict(map(str.split, kernel.run("for pair in client.run(os.getpid).items(): print(*pair)").splitlines()))
    victim = workers(cluster)[0]
    pid = next(pid for place, pid in pids.items() if place.startswith(f"tls://{address(victim)}:"))
    kernel.run("futures = client.map(slow, range(40))\nwhile not any(f.done() for f in futures): time.sleep(0.05)")
    kill(victim, pid)
    assert kernel.run("print(sum(client.gather(futures)))") == f"{sum(x * x for x in range(40))}\n"
    count = "print(client.submit(pow, 2, 5).result(), len(client.scheduler_info(-1)['workers']))"
    poll(lambda: kernel.run(count) == "32 2\n" or None, START_SECONDS, "another worker in its place")


def test_a_scheduler_that_is_killed_is_told_once_and_the_same_client_goes_on(kernel: Kernel, cluster: Stack) -> None:
    kernel.run(
        "import time\ndef slow(x):\n    time.sleep(0.2)\n    return x * x\nfutures = client.map(slow, range(100))"
    )
    kernel.run("while not any(f.done() for f in futures): time.sleep(0.05)")
    kill(cluster.container_of(SCHEDULER), "$(pgrep -f 'dask scheduler' | grep -v '^1$')")
    told = kernel.run("print(sum(client.gather(futures)))", START_SECONDS)
    is_right = told == f"{sum(x * x for x in range(100))}\n"
    assert is_right or told.count("cancelled for reason: scheduler-connection-lost") == 1, told

    def goes_on() -> str | None:
        return told if (told := kernel.run("print(client.submit(pow, 2, 6).result(20))")) == "64\n" else None

    poll(goes_on, START_SECONDS, "an answer to the same Client")


def test_who_hangs_up_ends_nobody_else_s_connection(kernel: Kernel, cluster: Stack) -> None:
    lost = re.compile("Remove worker|Remove client|Lost all workers")
    before = lost.findall(cluster.log_of(SCHEDULER))
    assert kernel.run(HANG_UP) == "3\n"
    assert lost.findall(cluster.log_of(SCHEDULER)) == before


def test_no_part_lets_in_who_has_no_certificate_of_the_cluster_s(
    kernel: Kernel, cluster: Stack, tmp_path: Path
) -> None:
    own, server = tmp_path / "own.pem", tmp_path / "server.pem"
    own.write_text(cluster.shell("cat /run/workhorse/cluster/pair.pem"))
    server.write_text(cluster.door_shell("cat /var/lib/workhorse/tls/server.pem"))
    foreign, now = tmp_path / "foreign.pem", datetime.now(UTC)
    foreign.write_bytes(make_certificate(make_authority(NAMES, now), NAMES, now, usages=BOTH_SIDES).pem)
    ports = kernel.run(
        "workers = client.scheduler_info(-1)['workers']\n"
        "print('scheduler:8786', *(each[6:] for key in workers for each in (key, workers[key]['nanny'])))"
    ).split()
    assert len(ports) == 1 + 2 * WORKERS
    for each in ports:
        host, _, port = each.partition(":")
        place = (address(cluster.container_of(SCHEDULER)) if host == SCHEDULER else host, int(port))
        assert is_let_in(place, own), each
        assert [is_let_in(place, pair) for pair in (None, foreign, server)] == [False] * 3, each
        assert not is_answered_in_plain(place), each


def is_let_in(place: tuple[str, int], pair: Path | None) -> bool:
    """Whether the other side says a word; in TLS 1.3 it refuses a certificate only after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair:
        context.load_cert_chain(pair)
    try:
        with socket.create_connection(place, REFUSAL_SECONDS) as connection, context.wrap_socket(connection) as tls:
            return bool(tls.recv(1))
    except (ssl.SSLError, ConnectionError):
        return False


def is_answered_in_plain(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, REFUSAL_SECONDS) as connection:
            # As Dask's own tcp:// begins: one frame of no bytes.
            connection.sendall(bytes(64))
            return bool(connection.recv(1))
    except (TimeoutError, ConnectionError):
        return False


def test_workers_listen_to_the_cluster_alone(kernel: Kernel, cluster: Stack) -> None:
    told = kernel.run(
        "for address, each in client.scheduler_info(-1)['workers'].items(): print(address, each['nanny'])"
    )
    known = {frozenset(re.findall(r":(\d+)(?=[ \n])", line + "\n")) for line in told.splitlines()}
    assert {frozenset(map(str, listening(each))) for each in workers(cluster)} == known
    assert listening(cluster.container_of(SCHEDULER)) == {8786}


def listening(container: Container) -> set[int]:
    """The TCP ports that are open, but for Docker's own name server's."""
    told = subprocess.run(
        ["docker", "exec", str(container.id), "cat", *TABLES], capture_output=True, text=True, check=True
    )
    lines = told.stdout.splitlines()
    places = [fields[1].split(":") for fields in map(str.split, lines) if fields[3] == "0A"]
    return {int(port, 16) for host, port in places if host != "0B00007F"}


def test_the_authority_s_key_is_at_the_door_alone_and_root_s(cluster: Stack) -> None:
    for container in (cluster.container_of(KERNELS), cluster.container_of(SCHEDULER), *workers(cluster)):
        assert "cluster-authority" not in str(container.attrs["Mounts"])
    assert "Permission denied" in cluster.door_shell("cat /var/lib/cluster-authority/authority.pem 2>&1", "1000", False)
    assert "BEGIN PRIVATE KEY" in cluster.door_shell("cat /var/lib/cluster-authority/authority.pem")
    ending = "openssl x509 -in /run/workhorse/cluster/pair.pem -noout -ext basicConstraints,extendedKeyUsage"
    told = cluster.shell(ending)
    assert "CA:FALSE" in told
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in told


def test_pair_and_authority_outlive_the_containers(cluster: Stack) -> None:
    fingerprints = "sha256sum /run/cluster/*.pem"
    before = cluster.door_shell(fingerprints)
    cluster.compose("restart", DOOR)
    # Which doesn't wait until it answers.
    up(cluster)
    assert cluster.door_shell(fingerprints) == before


def test_the_dashboard_is_behind_the_login(cluster: Stack, logged_in: Client) -> None:
    page = f"{cluster.url}/dask/status"
    with Client(cluster.url, cluster.authority()) as stranger:
        refused = stranger.session.get(page, headers={"Accept": "text/html"}, allow_redirects=False)
        assert (refused.status_code, refused.headers["Location"].partition("?")[0]) == (302, "/login")
        assert stranger.session.post(page).status_code == 403
        assert handshake(stranger, cluster.url) == 403
    assert "Dask" in logged_in.session.get(page).text
    assert logged_in.session.post(page, headers=forgery_token(logged_in)).status_code == 403
    assert handshake(logged_in, cluster.url) == 101
    assert handshake(logged_in, "https://elsewhere.example.org") == 403
    assert handshake(logged_in, "https://localhost:1") == 403


def forgery_token(client: Client) -> dict[str, str]:
    return {"X-XSRFToken": client.session.cookies.get("_xsrf") or ""}


def handshake(client: Client, origin: str) -> int:
    """What a websocket to the dashboard is answered."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.session.cookies)
    try:
        websocket.create_connection(
            f"{client.url.replace('http', 'ws', 1)}/dask/status/ws",
            sslopt={"ca_certs": str(client.authority), "cert_reqs": ssl.CERT_REQUIRED},
            cookie=cookies,
            origin=origin,
            subprotocols=["bokeh", token(client)],
            timeout=START_SECONDS,
        ).close()
    except websocket.WebSocketBadStatusException as refused:
        return int(refused.status_code)
    return 101


def token(client: Client) -> str:
    """By which Bokeh knows a websocket's page."""
    page = client.session.get(f"{client.url}/dask/status").text
    found = re.search(r'"token":"([^"]+)"', page)
    return found[1] if found else "none"


def test_the_login_s_cookie_never_reaches_the_dashboard(kernel: Kernel, logged_in: Client) -> None:
    assert kernel.run(LISTEN_IN) == ""
    assert len(logged_in.session.cookies) >= 2
    logged_in.session.get(f"{logged_in.url}/dask/status")
    heard = kernel.run("print(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.heard))")
    assert "/dask/status" in heard
    assert "_xsrf" in heard
    assert not [each.value for each in logged_in.session.cookies if each.name != "_xsrf" and str(each.value) in heard]


def test_workhorse_cluster_tells_of_each_worker(kernel: Kernel, cluster: Stack) -> None:
    first, *rest = cluster.workhorse("cluster").splitlines()
    assert first.startswith("2 workers. ")
    places = kernel.run("print(*client.scheduler_info(-1)['workers'])").split()
    assert sorted(line.split()[0] for line in rest) == sorted(places)
    assert all(re.search(r"  1 core   0\.\d of 0\.4 GB, 0\.0 GB on disk  running$", line) for line in rest), rest


def test_the_example_of_more_than_a_worker_s_memory_runs_as_it_stands(cluster: Stack) -> None:
    notebook = (REPOSITORY / "examples" / "larger-than-memory.ipynb").read_text()
    assert '"size = 1.5 ' in notebook
    (cluster.repositories / "larger.ipynb").write_text(notebook.replace('"size = 1.5 ', '"size = 1.1 '))
    cluster.shell("cd /repositories && workhorse run larger.ipynb")
    (copy,) = cluster.repositories.glob("larger*-*.ipynb")
    outputs = [output for cell in json.loads(copy.read_text())["cells"] for output in cell.get("outputs", [])]
    told = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    assert re.search(r"^2 workers, of which each may hold 0\.5 GB$", told, re.MULTILINE), told
    assert re.search(r": 1\.[12] times what one worker may hold$", told, re.MULTILINE), told
    assert re.search(r"^0\.[1-9] GB of it lie on the disk$", told, re.MULTILINE), told
    assert len(re.findall(r"^[12] workers: \d+\.\d s$", told, re.MULTILINE)) == WORKERS
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not (cluster.repositories / "readings").exists()


class JoinStack(ClusterStack):
    more_files = (*PIECES, REPOSITORY / "compose" / "cluster-join.yml", REPOSITORY / "tests" / "cluster-join.yml")


@dataclass(frozen=True)
class Machine:
    """A second machine: a network of its own, which a cable leads to.

    Args:
        here: This machine's address on the cable.
        network: As docker run takes it, for what runs there.
    """

    here: str
    network: str


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if os.getuid() or not (shutil.which("ip") and shutil.which("nsenter")):
        pytest.skip("only root may lay a cable to a second machine")
    number, name = secrets.randbelow(1 << 14), secrets.token_hex(4)
    # Of the networks that are kept for trials between machines (RFC 2544).
    network = IPv4Network((f"198.18.{number >> 6}.{(number & 63) << 2}", 30))
    here, there = network.hosts()
    run = partial(subprocess.run, capture_output=True, text=True, check=True)
    command = ["docker", "run", "-d", "--rm", "--network", "none", "--entrypoint", "sleep", KERNELS_IMAGE, "infinity"]
    container = run(command).stdout.strip()
    try:
        process = run(["docker", "inspect", "-f", "{{.State.Pid}}", container]).stdout.strip()
        inside = f"nsenter -t {process} -n ip"
        for line in (
            f"ip link add w{name} type veth peer name v{name}",
            f"ip link set v{name} netns {process}",
            f"ip addr add {here}/30 dev w{name}",
            f"ip link set w{name} up",
            f"{inside} addr add {there}/30 dev v{name}",
            f"{inside} link set v{name} up",
            f"{inside} route add default via {here}",
        ):
            run(line.split())
        yield Machine(str(here), f"container:{container}")
    finally:
        # And with it the cable.
        run(["docker", "rm", "-f", container])


@pytest.fixture(scope="module")
def joinable(cluster: Stack, machine: Machine) -> Stack:
    """A cluster that other machines reach."""
    stack = JoinStack(cluster.folder, cluster.project, cluster.port)
    stack.set(CLUSTER_ADDRESS=machine.here, CLUSTER_PORT=str(free_port()))
    up(stack)
    return stack


@pytest.fixture(scope="module")
def bundle(joinable: Stack, machine: Machine) -> Iterator[str]:
    """What the second machine has joined by."""
    text = joinable.workhorse("cluster", "bundle", "ada@bigmem")
    environ = {**os.environ, "NETWORK": machine.network, "WORKER_MEMORY": f"{WORKER_MEGABYTES}m"}
    told = subprocess.run(["sh"], input=text, env=environ, capture_output=True, text=True, check=False)
    assert told.stdout.startswith(f"bigmem works for the cluster at {machine.here}, with 1 workers, until 20"), told
    yield text
    subprocess.run(["docker", "rm", "-f", joined_name(joinable)], capture_output=True, check=True)
    volumes = [f"{joinable.project}-joined-{each}" for each in ("pair", "spill", "1-home")]
    subprocess.run(["docker", "volume", "rm", *volumes], capture_output=True, check=True)


@pytest.fixture
def joined(kernel: Kernel, bundle: str) -> Kernel:
    """A notebook of a cluster with a second machine."""
    poll(lambda: count_workers(kernel) == WORKERS + 1 or None, START_SECONDS, "the second machine's worker")
    return kernel


def joined_name(stack: Stack) -> str:
    return f"{stack.project}-joined-1"


def joined_container(stack: Stack) -> Container:
    client = docker.from_env()
    try:
        return client.containers.get(joined_name(stack))
    finally:
        client.close()


def count_workers(kernel: Kernel) -> int:
    return int(kernel.run("print(len(client.scheduler_info(-1)['workers']))"))


def test_one_line_brings_another_machine_in_and_shows_no_key(joinable: Stack, joined: Kernel, bundle: str) -> None:
    told = joinable.workhorse("cluster", "join", "ada@bigmem")
    assert f"\ndocker save {IMAGE}-cluster | ssh ada@bigmem docker load && docker compose exec -T" in told
    key = next(line for line in bundle.splitlines() if line.startswith("pair="))
    assert "BEGIN PRIVATE KEY" in key
    name = joined_name(joinable)
    seen = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
    assert "PRIVATE KEY" not in seen + told + joinable.log()
    looked = subprocess.run(
        ["docker", "exec", name, "/bin/sh", "-c", "stat -c '%a %u' /run/cluster/pair.pem; id -u; ls /repositories"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert looked.stdout == "600 0\n0\n"
    open_ports = listening(joined_container(joinable))
    assert len(open_ports) == 2
    assert all(18700 <= port < 18900 for port in open_ports)
    assert re.search(r"  tls://198\.18\.\d+\.\d+:187\d\d  bigmem +  1 core  ", joinable.workhorse("cluster"))


def test_machines_pass_what_they_hold_to_each_other(joined: Kernel) -> None:
    told = joined.run(
        "workers = client.scheduler_info(-1)['workers']\n"
        "far = next(key for key in workers if workers[key]['name'] == 'bigmem/1')\n"
        "near = next(key for key in workers if key != far)\n"
        "def more(data): return data + bytes(10_000_000)\n"
        "made = client.submit(bytes, 10_000_000, workers=far)\n"
        "grown = client.submit(more, made, workers=near)\n"
        "print(client.submit(len, client.submit(more, grown, workers=far), workers=near).result(60))"
    )
    assert told == "30000000\n"


def test_a_notebook_is_told_of_other_versions_before_the_first_error(joined: Kernel, joinable: Stack) -> None:
    warnings = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always'); client = Client(); client.wait_for_workers(3, 60)\n"
        "print(*(each.message for each in told))"
    )
    folder = "/home/workhorse/venv/lib/python3.13/site-packages/numpy-0.9.dist-info"
    of_the_joined(joinable, f"mkdir {folder} && printf 'Name: numpy\\nVersion: 0.9\\n' >{folder}/METADATA")
    told = poll(lambda: text if "0.9" in (text := joined.run(warnings)) else None, START_SECONDS, "a warning")
    assert "Mismatched versions found" in told
    assert re.search(r"\| numpy +\|", told)
    of_the_joined(joinable, f"rm -r {folder}")
    poll(lambda: joined.run(warnings) == "\n" or None, START_SECONDS, "no warning")


def of_the_joined(stack: Stack, script: str) -> None:
    """Changes what the second machine's worker finds, which starts anew."""
    subprocess.run(["docker", "exec", "-u", "1000", joined_name(stack), "/bin/sh", "-c", script], check=True)
    subprocess.run(["docker", "restart", joined_name(stack)], capture_output=True, check=True)


def test_a_machine_that_is_removed_comes_in_no_more(
    joined: Kernel, joinable: Stack, bundle: str, tmp_path: Path
) -> None:
    own, far = tmp_path / "own.pem", tmp_path / "far.pem"
    own.write_text(joinable.shell("cat /run/workhorse/cluster/pair.pem"))
    far.write_text(re.search(r"^pair='(.*?)'", bundle, re.DOTALL | re.MULTILINE)[1])  # type: ignore[index]
    scheduler = (address(joinable.container_of(SCHEDULER)), 8786)
    assert is_let_in(scheduler, far)
    assert "No machine 'other' may join this cluster. Those that may: bigmem." in refused(joinable, "remove", "other")
    told = joinable.workhorse("cluster", "remove", "bigmem")
    assert told.startswith("bigmem is let in no more. Its 1 workers have given what they held to others.")
    assert (is_let_in(scheduler, far), is_let_in(scheduler, own)) == (False, True)
    assert count_workers(joined) == WORKERS
    joinable.compose("restart", SCHEDULER)
    up(joinable)
    scheduler = (address(joinable.container_of(SCHEDULER)), 8786)
    assert (is_let_in(scheduler, far), is_let_in(scheduler, own)) == (False, True)


def refused(stack: Stack, *arguments: str) -> str:
    return stack.compose("exec", "-T", DOOR, "workhorse", "cluster", *arguments, check=False).stderr


def test_switched_off_again_nothing_of_it_runs_or_is_asked(cluster: Stack) -> None:
    alone = Stack(cluster.folder, cluster.project, cluster.port)
    alone.compose("up", "-d", "--no-build", "--wait", "--wait-timeout", str(START_SECONDS), "--remove-orphans")
    assert sorted(alone.compose("ps", "-a", "--format", "{{.Service}}").stdout.split()) == sorted(SERVICES)
    assert "No cluster is switched on." in alone.compose("exec", "-T", DOOR, "workhorse", "cluster", check=False).stderr
    with Client(alone.url, alone.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.session.get(f"{alone.url}/dask/status").status_code == 404
        assert "No module named 'dask'" in client.run("import dask")


def test_who_does_not_use_it_pays_nothing() -> None:
    command = ["docker", "run", "--rm", "--entrypoint", "/bin/sh", KERNELS_IMAGE, "-c"]
    look = "ls /etc/dask /opt/workhorse/cluster /spill; /opt/conda/envs/default/bin/python -c 'import dask'"
    told = subprocess.run([*command, look], capture_output=True, text=True, check=False)
    assert told.stdout == ""
    assert told.stderr.count("No such file") == 3
    assert "No module named 'dask'" in told.stderr
