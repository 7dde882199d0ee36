"""Two sides that are measured in turn; a ratio is the median of the pairs', with the least and the most."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence


def tell(what: str, unit: str, ours: list[float], theirs: list[float], goal: str) -> None:
    """Print a line: medians, and ours / theirs in each round."""
    if not theirs:
        print(f"| {what}, {unit} | {statistics.median(ours):,.1f} | - | | {goal} |", flush=True)
        return
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    span = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}..{max(ratios):.2f})"
    medians = f"{statistics.median(ours):,.1f} | {statistics.median(theirs):,.1f}"
    print(f"| {what}, {unit} | {medians} | {span} | {goal} |", flush=True)


def turns(rounds: int, calls: Sequence[Callable[[], float]]) -> tuple[list[float], list[float]]:
    """Call one or two in turn, that first which was second, and return the figures of each."""
    figures: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = range(len(calls)) if number % 2 == 0 else reversed(range(len(calls)))
        for side in order:
            figures[side].append(calls[side]())
    return figures
