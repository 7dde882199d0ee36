"""The signed-in client of the WebDAV tests: pages stand in front of the same application."""

from tests.dav.conftest import dav

__all__ = ["dav"]
