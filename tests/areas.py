"""A second area, as a later subject adds one: a member of `Area` and a line of the URL space."""

from __future__ import annotations

import pytest

from davstore.model.paths import Area
from davstore.protocol import urls

ELSEWHERE = "/dav/threads/alice"
"""The root of alice's store in the second area."""


def add_area(monkeypatch: pytest.MonkeyPatch) -> Area:
    """Add the area whose root every store has had since the first migration, and return it."""
    added = int.__new__(Area, 1)
    added._name_, added._value_ = "THREADS", 1
    monkeypatch.setitem(Area._value2member_map_, 1, added)
    monkeypatch.setitem(Area._member_map_, "THREADS", added)
    monkeypatch.setitem(urls.AREAS, ("dav", "threads"), added)  # type: ignore[arg-type]  # a dictionary
    monkeypatch.setitem(urls._STARTS, added, ("dav", "threads"))
    return added
