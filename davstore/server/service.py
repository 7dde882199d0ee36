"""The application of a server, and the facts of the server that a request needs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from davstore.server.limits import Limits

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


@dataclass(frozen=True, slots=True)
class Service:
    """One application under a name and a port. stopping is set when no connection is to be kept for more requests."""

    application: WSGIApplication
    name: str
    port: int
    limits: Limits
    stopping: threading.Event = field(default_factory=threading.Event)
