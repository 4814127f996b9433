"""Prints measurements as a table that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.spread import Comparison

HEADINGS = ("median (min..max)", "Workhorse", "peer", "ratio", "aim")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines with columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def comparison_table(comparisons: Iterable[Comparison]) -> str:
    return table([HEADINGS, *map(_row, comparisons)])


def _row(each: Comparison) -> tuple[str, ...]:
    decimals = each.decimals
    return (
        f"{each.name}, {each.unit}",
        each.ours.text(decimals),
        each.theirs.text(decimals),
        each.ratio.text(2),
        each.aim,
    )
