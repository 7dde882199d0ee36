"""The bounds that a connection keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a client has for its next request, for a head and for each window of a body; bytes of a head."""

    idle_seconds: float = 60.0
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    head_bytes: int = 32_768
