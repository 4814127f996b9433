"""The log passes the engine line by line, later than what it tells of: a test waits for a line."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
EXPECTED_AT_ONCE = re.compile(r"assert .* in [\w.]*log\(\)")


def test_no_test_expects_a_line_of_the_log_at_once() -> None:
    lines = ((file, line) for file in TESTS.rglob("*.py") for line in file.read_text().splitlines())
    assert [(file.name, line) for file, line in lines if EXPECTED_AT_ONCE.search(line) and " not in " not in line] == []
