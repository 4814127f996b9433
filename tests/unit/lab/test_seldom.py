"""What is imported and seldom used is loaded on its first use."""

from __future__ import annotations

import subprocess
import sys

# A module of Python's that prints a text when it is loaded.
STORY = """
from entrypoint.lab.seldom import load_on_use
load_on_use({"this"})
import this
print("imported")
print(len(this.d))
"""


def test_a_module_is_loaded_once_a_name_in_it_is_used() -> None:
    told = subprocess.run([sys.executable, "-c", STORY], capture_output=True, text=True, check=True).stdout.splitlines()
    assert told[:2] == ["imported", "The Zen of Python, by Tim Peters"]
    assert told[-1] == "52"
