"""A server that is in step with a laptop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import PASSWORD
from tests.laptops import Laptop, SyncStack, paired_laptop, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncStack]:
    with serving(tmp_path_factory.mktemp("sync"), JUPYTER_PASSWORD=PASSWORD) as stack:
        yield stack


@pytest.fixture(scope="module")
def ada(server: SyncStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with paired_laptop(server, tmp_path_factory.mktemp("laptops")) as laptop:
        yield laptop
