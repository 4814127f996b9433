"""What is told of NVIDIA's cards, with programs in the place of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.kernels.cards import read_cards
from entrypoint.system.cards import CARDS_MAX, Card, card_lines


def program(folder: Path, script: str) -> str:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(folder)


def test_every_card_is_told_with_its_memory(tmp_path: Path) -> None:
    asked = 'case "$*" in *name,memory.used,memory.total*noheader,nounits*) ;; *) exit 1 ;; esac'
    said = "printf 'NVIDIA A100-SXM4-80GB, 3072, 81920\\nQuadro, the older one, 0, 8192\\n'"
    cards = read_cards(program(tmp_path, f"{asked}\n{said}"))
    assert cards == (
        Card("NVIDIA A100-SXM4-80GB", 3 << 30, 80 << 30),
        Card("Quadro, the older one", 0, 8 << 30),
    )
    assert next(card_lines(cards)) == "NVIDIA A100-SXM4-80GB: 3.0 of 80.0 GiB taken"


def test_without_a_driver_there_are_none_and_nothing_runs(tmp_path: Path) -> None:
    assert read_cards(str(tmp_path)) == ()


@pytest.mark.parametrize(
    "script", ["exit 9", "echo 'No devices were found'", "echo 'NVIDIA A100, [N/A], [N/A]'", "printf '\\377'"]
)
def test_a_driver_that_does_not_tell_is_no_card(tmp_path: Path, script: str) -> None:
    assert read_cards(program(tmp_path, script)) == ()


def test_no_more_are_told_than_are_read(tmp_path: Path) -> None:
    cards = read_cards(program(tmp_path, f"yes 'NVIDIA A100, 1, 2' | head -n {CARDS_MAX + 5}"))
    assert len(cards) == CARDS_MAX
