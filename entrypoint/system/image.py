"""When the image was built that this runs in: its programs' holes have been mended until then."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

# What the build itself writes, layer by layer, while programs keep the time of their own making. A layer from the
# build's cache is as old as when it was made. The last one is the server's alone.
BUILT = (
    "etc/passwd.image",
    "var/lib/dpkg/status",
    "opt/server/conda-meta/history",
    "opt/conda/envs/default/conda-meta/history",
)


def built(root: Path) -> datetime | None:
    """When its oldest part was made; None where there is none of these files."""
    times = [(root / name).stat().st_mtime for name in BUILT if (root / name).exists()]
    return datetime.fromtimestamp(min(times), UTC) if times else None
