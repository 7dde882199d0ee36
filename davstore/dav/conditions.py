"""From headers to preconditions (RFC 9110 §13, RFC 4918 §10.4); who judges them is the store, in the unit that acts."""

from __future__ import annotations

from davstore.dav import places
from davstore.dav.request import Request
from davstore.errors import ForeignDestination, Malformed
from davstore.model.conditions import NONE, IfList, Preconditions
from davstore.model.paths import Path
from davstore.protocol.dav import if_header
from davstore.protocol.dav.hrefs import parse_destination
from davstore.protocol.dav.lockinfo import parse_lock_token
from davstore.protocol.http.dates import parse_http_date
from davstore.protocol.http.headers import parse_etags
from davstore.protocol.http.queries import names_sub_resource

_HEADERS = (
    "HTTP_IF",
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_LOCK_TOKEN",
)


def read_conditions(request: Request) -> Preconditions:
    """Return all conditions of a request.

    Raises:
        Malformed: an `If` that cannot be read.
    """
    if not any(header in request.environ for header in _HEADERS):
        return NONE
    return Preconditions(
        if_match=parse_etags(request.header("IF_MATCH")),
        if_none_match=parse_etags(request.header("IF_NONE_MATCH")),
        if_modified_since=parse_http_date(request.header("IF_MODIFIED_SINCE")),
        if_unmodified_since=parse_http_date(request.header("IF_UNMODIFIED_SINCE")),
        if_lists=_read_if(request),
    )


def read_if(request: Request) -> Preconditions:
    """Return the `If` lists alone: methods that select no representation know no other conditions."""
    return NONE if request.header("IF") is None else Preconditions(if_lists=_read_if(request))


def _read_if(request: Request) -> tuple[IfList, ...] | None:
    value = request.header("IF")
    if value is None and request.environ["REQUEST_METHOD"] == "PUT" and request.header("LOCK_TOKEN") is not None:
        # So Word 2016 submits the token of its lock; it is a token, no condition.
        value = f"(<{parse_lock_token(request.header('LOCK_TOKEN'))}>) (Not <DAV:no-lock>)"
    if value is None:
        return None
    here = request.place if isinstance(request.place, Path) else None
    return tuple(
        IfList(here if tag is None else _tagged(tag, request), conditions) for tag, conditions in if_header.parse(value)
    )


def _tagged(tag: str, request: Request) -> Path | None:
    """Return the place in a store that a resource tag names; None when it is elsewhere or nowhere."""
    try:
        target = parse_destination(tag, host=request.host, prefix=request.prefix)
    except (ForeignDestination, Malformed):
        return None
    return None if names_sub_resource(target.query) else places.to_path(target)
