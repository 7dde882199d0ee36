"""The conditions of a request whose own store call judges none (RFC 9110 §13, RFC 4918 §10.4)."""

from __future__ import annotations

from davstore.dav.request import Request
from davstore.engine.rights import home
from davstore.errors import PreconditionFailed
from davstore.model.conditions import NONE
from davstore.policy.preconditions import Verdict, judge
from davstore.store import reading


def judge_if(request: Request) -> None:
    """Raise PreconditionFailed unless an `If` list holds."""
    conditions = request.if_alone
    if conditions is not NONE:
        reading.find(request.context, home(request.principal), conditions)


def require_met(request: Request, *, exists: bool) -> None:
    """Raise PreconditionFailed unless all conditions hold; a principal has no entity tag and no time."""
    judge_if(request)
    if judge(request.conditions, exists=exists, etag=None, modified_us=None, safe=False) is Verdict.FAILED:
        raise PreconditionFailed("a condition does not hold")
