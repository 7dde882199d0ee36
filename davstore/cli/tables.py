"""Lists for a person at a terminal, which `cut` and `awk` can read too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a head, in columns two spaces apart."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def render_time(at_us: int | None) -> str:
    """Return a time in whole seconds, UTC; '-' for never."""
    if at_us is None:
        return "-"
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
