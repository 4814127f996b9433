"""The door's start, which becomes the server at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_a_start_imports_nothing_that_only_the_server_needs() -> None:
    code = "import sys, entrypoint.door.__main__; print(*{'asyncio', 'tornado'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
