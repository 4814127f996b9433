"""What a power cut would take: each run in a file of its own, until its notebook holds it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrypoint.files.untrusted import read_untrusted
from entrypoint.jupyter.saving import replacing
from entrypoint.recorder.outputs import BYTES_MAX
from entrypoint.recorder.runs import CELL_ID_MAX, Run

# Of one file: what an execution may put out at most, and JSON's escapes.
FILE_BYTES_MAX = 4 * BYTES_MAX
# Of all together; the oldest go.
ALL_BYTES_MAX = 512 << 20


@dataclass(frozen=True)
class Stored:
    """A run whose kernel is gone, and the path of its notebook."""

    path: str
    run: Run
    was_running: bool


@dataclass(frozen=True)
class Store:
    """A folder in the person's home."""

    folder: Path

    def write(self, path: str, told: dict[str, Any], more: dict[str, Any]) -> bool:
        """Keeps a run, or raises.

        Args:
            told, more: As `Run.as_json` and `Run.for_later` give it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(self._file(told["id"])) as file:
            json.dump({"path": path, **told, **more}, file)
        self._shorten()
        return True

    def forget(self, run_id: str) -> None:
        self._file(run_id).unlink(missing_ok=True)

    def read(self) -> Iterator[Stored]:
        """All that is kept, whatever people's code has put among it."""
        for file in sorted(self.folder.glob("*.json")):
            try:
                yield _stored(json.loads(read_untrusted(file, FILE_BYTES_MAX)))
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue

    def _file(self, run_id: str) -> Path:
        return self.folder / f"{''.join(each for each in run_id if each.isalnum() or each in '-_')[:128]}.json"

    def _shorten(self) -> None:
        files = sorted(filter(None, map(_age_and_size, self.folder.glob("*.json"))))
        total = sum(size for _, size, _ in files)
        for _, size, file in files[:-1]:
            if total > ALL_BYTES_MAX:
                file.unlink(missing_ok=True)
                total -= size


def _age_and_size(file: Path) -> tuple[float, int, Path] | None:
    """None for what was forgotten since it was listed, and for whatever else is no file."""
    with suppress(FileNotFoundError):
        status = file.lstat()
        if stat.S_ISREG(status.st_mode):
            return status.st_mtime, status.st_size, file
    return None


def _stored(kept: dict[str, Any]) -> Stored:
    run = Run(
        str(kept["id"]), str(kept["session"]), str(kept["cell"])[:CELL_ID_MAX], str(kept["code"]), float(kept["asked"])
    )
    run.started, run.ended = kept["started"] and float(kept["started"]), kept["ended"] and float(kept["ended"])
    run.before = kept["before"] and str(kept["before"])
    run.count = kept["count"] if isinstance(kept["count"], int) else None
    for output in kept["outputs"]:
        # As a message, whose kind an output's type is.
        run.outputs.add(str(output["output_type"]), output, len(json.dumps(output)))
    is_over = kept["state"] == "ended" and kept["outcome"] in ("done", "failed", "stopped", "killed")
    if is_over:
        run.state, run.outcome = "ended", kept["outcome"]
    return Stored(str(kept["path"]), run, not is_over)
