"""A signed-in client on an empty store."""

from __future__ import annotations

from tests.dav.conftest import dav

__all__ = ["dav"]
