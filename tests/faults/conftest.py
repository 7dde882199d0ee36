"""Servers that end with the test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.served import Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Yield what starts `davstore serve`, with words of the command line and a directory's name for its data."""
    running: list[Served] = []

    def start(*words: str, data: str = "data", **more: Any) -> Served:
        running.append(Served(tmp_path / data, tmp_path / f"{len(running)}.log", *words, **more))
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            os.killpg(served.process.pid, signal.SIGKILL)
        served.process.communicate()
