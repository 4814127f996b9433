"""The images' sizes, by part."""

from __future__ import annotations

import docker

MEGABYTE = 1e6
PARTS = {
    "/opt/server": "the server's environment",
    "/opt/conda/envs/default": "the default kernel's environment",
    "/opt/conda": "conda itself",
    "/opt/channels": "packages of the stand-in base, which the public base doesn't hold",
}
REMARK = "Published: Jupyter Docker Stacks' base-notebook 828 MB, scipy-notebook 2.8 to 4.2 GB."


def image_size(client: docker.DockerClient, image: str) -> list[tuple[str, str]]:
    """Megabytes and names of the parts, the rest, and the whole as Docker counts it."""
    total = client.images.get(image).attrs["Size"] / MEGABYTE
    parts = _folders(client, image)
    rows = [(f"{size:.0f} MB", f"{path}: {PARTS[path]}") for path, size in parts.items()]
    rest = total - sum(parts.values())
    return [*rows, (f"{rest:.0f} MB", "the rest: system, apt's packages"), (f"{total:.0f} MB", "all layers")]


def _folders(client: docker.DockerClient, image: str) -> dict[str, float]:
    """Megabytes of each part; du counts what lies in two of them for the first alone."""
    script = f"for part in {' '.join(PARTS)}; do [ ! -e $part ] || echo $part; done | xargs du -sx --block-size=1"
    output: bytes = client.containers.run(image, ["-c", script], entrypoint="/bin/sh", remove=True)
    lines = (line.split("\t") for line in output.decode().splitlines())
    return {path: int(size) / MEGABYTE for size, path in lines}
