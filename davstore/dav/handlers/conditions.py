"""The `If` header of a request whose own store call judges no conditions (RFC 4918 §10.4)."""

from __future__ import annotations

from davstore.dav.request import Request
from davstore.engine.rights import home
from davstore.model.conditions import NONE
from davstore.store import reading


def judge_if(request: Request) -> None:
    """Raise PreconditionFailed unless an `If` list holds."""
    conditions = request.if_alone
    if conditions is not NONE:
        reading.find(request.context, home(request.principal), conditions)
