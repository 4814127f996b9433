"""How a worker is started, here and on another machine."""

from __future__ import annotations

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.kernels.worker import MARGIN_SECONDS, command

NOW = 1_800_000_000.0
JOINED = {"CLUSTER_SCHEDULER": "tls://192.0.2.1:8786", "WORKER_NAME": "bigmem/1", "WORKER_CORES": "4"}


def test_on_the_cluster_s_own_machine_it_has_no_name_no_port_and_no_end() -> None:
    words = command({"WORKER_CORES": "2"}, NOW)
    assert words[:4] == ["python", "-m", "dask", "worker"]
    assert "--nthreads=2" in words
    assert not [word for word in words if word.startswith(("tls:", "--name", "--host", "--lifetime", "--worker-port"))]


def test_on_another_it_ends_before_its_pair_does() -> None:
    words = command({**JOINED, "BUNDLE_ENDS": str(int(NOW) + 86_400)}, NOW)
    assert {"tls://192.0.2.1:8786", "--name=bigmem/1", "--nthreads=4"} < set(words)
    assert f"--lifetime={86_400 - MARGIN_SECONDS}s" in words


@pytest.mark.parametrize("left", [-86_400, 0, MARGIN_SECONDS])
def test_after_that_it_says_how_to_go_on(left: int) -> None:
    with pytest.raises(WorkhorseError, match=r"could join until 2027-01-1\d\.\n.*workhorse cluster join"):
        command({**JOINED, "BUNDLE_ENDS": str(int(NOW) + left)}, NOW)


def test_where_others_join_those_of_this_machine_listen_to_its_own_address() -> None:
    words = command({"CLUSTER_SCHEDULER": "tls://192.0.2.1:8786", "WORKER_HOST": "192.0.2.1"}, NOW)
    assert {"--host=192.0.2.1", "--worker-port=18700:18799", "--nanny-port=18800:18899"} < set(words)
