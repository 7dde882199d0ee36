"""Write `D:multistatus` piece by piece (RFC 4918 §13, §14.16; RFC 6578 §3.6), and `D:mkcol-response` (RFC 5689 §5.2).

Bytes templates, no tree. hrefs come from `hrefs` (`for_xml`), properties from `elements` or, dead ones, from
`xml.standalone`; neither is escaped again here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

from davstore.protocol.dav import names
from davstore.protocol.dav.elements import DECLARATION, ROOT_NAMESPACES, element, empty, escape, text_element

_BATCH: Final = 256
"""Responses between two writes: about 128 KiB, so that the spool's cost per write vanishes."""
_LARGE_BYTES: Final = 16 * 1024
"""A response longer than this is written at once: 256 of them would take more memory than an answer may."""

_FOUND: Final = (
    b"<D:response><D:href>%b</D:href><D:propstat><D:prop>%b</D:prop>"
    b"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n"
)
_MISSING: Final = (
    b"<D:response><D:href>%b</D:href><D:propstat><D:prop>%b</D:prop>"
    b"<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
)
_FOUND_AND_MISSING: Final = (
    b"<D:response><D:href>%b</D:href><D:propstat><D:prop>%b</D:prop>"
    b"<D:status>HTTP/1.1 200 OK</D:status></D:propstat><D:propstat><D:prop>%b</D:prop>"
    b"<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
)
_REMOVED: Final = b"<D:response><D:href>%b</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n"


class PropStat(NamedTuple):
    """Properties that share a status: their elements, and that of the condition that failed, if one did."""

    status: int
    properties: bytes
    condition: bytes | None = None


class Multistatus:
    """Writes one multistatus to a spool. `close` ends it; without it the answer is not well-formed.

    The caller gives each href once only (RFC 4918 §14.24).
    """

    __slots__ = ("_pieces", "_write")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """Begin an answer; write takes its bytes, in order."""
        self._write = write
        self._pieces = [DECLARATION, b"<D:multistatus%b>\n" % ROOT_NAMESPACES]

    def response(self, href: bytes, found: bytes, missing: bytes = b"") -> None:
        """Write the properties of one resource: elements with values, and empty elements of those it does not have."""
        self.add(render_response(href, found, missing))

    def add(self, response: bytes) -> None:
        """Write the properties of a resource, or of many, as `render_response` or a template put them."""
        pieces = self._pieces
        if len(response) > _LARGE_BYTES:
            self._flush()
            self._write(response)
            return
        pieces.append(response)
        if len(pieces) >= _BATCH:
            self._flush()

    def removed(self, href: bytes) -> None:
        """Write that a member is gone (RFC 6578 §3.5.2)."""
        self.add(render_gone(href))

    def out_of_view(self, href: bytes) -> None:
        """Write that a member is not in the view that was asked for, whether it is there or not."""
        self.status(href, HTTPStatus.NOT_FOUND, names.OUT_OF_VIEW)

    def status(self, href: bytes, status: int, condition: str | None = None) -> None:
        """Write the status of a resource as a whole, and the Clark name of the condition that failed, if one did."""
        self.failed(href, status, empty(condition) if condition else None)

    def failed(self, href: bytes, status: int, condition: bytes | None) -> None:
        """Write the status of a resource as a whole, and the element of the condition that failed, if one did."""
        self.add(b"<D:response><D:href>%b</D:href>%b%b</D:response>\n" % (href, _status(status), _error(condition)))

    def patched(self, href: bytes, groups: Iterable[PropStat]) -> None:
        """Write the status of each property that a request changes."""
        self.add(_patched(href, groups))

    def refused(self, href: bytes, status: int, *content: bytes) -> None:
        """Write the status of a resource, and the elements of its `D:error`, if there are any."""
        self.add(
            b"<D:response><D:href>%b</D:href>%b%b</D:response>\n" % (href, _status(status), _error(b"".join(content)))
        )

    def explained(self, href: bytes, status: int, condition: bytes, description: str) -> None:
        """Write the status that a resource would have, the condition that does not hold, and words for a person."""
        error = element("{DAV:}error", condition) if condition else b""
        words = text_element("{DAV:}responsedescription", description)
        self.add(b"<D:response><D:href>%b</D:href>%b%b%b</D:response>\n" % (href, _status(status), error, words))

    def decided(self, href: bytes, status: int, decisions: bytes) -> None:
        """Write the status that a method would have for a resource, and what decided."""
        self.add(b"<D:response><D:href>%b</D:href>%b%b</D:response>\n" % (href, _status(status), decisions))

    def truncated(self, href: bytes) -> None:
        """Write that more members changed than were given; href is the collection's (RFC 6578 §3.6)."""
        self.status(href, HTTPStatus.INSUFFICIENT_STORAGE, names.NUMBER_OF_MATCHES_WITHIN_LIMITS)

    def policy_applied(self, href: bytes, *, list_only: bool = False) -> None:
        """Write that policy and preferences narrowed the answer; href is the principal whose policy it is.

        list_only: they ask the device to take no bodies.
        """
        content = [element(names.POLICY, b"<D:href>%b</D:href>" % href)]
        if list_only:
            content.append(empty(names.LIST_ONLY))
        self.add(b"%b\n" % element(names.SYNC_POLICY_APPLIED, *content))

    def close(self, *, sync_token: str | None = None) -> None:
        """End the answer, with the token of a sync-collection report if it is one."""
        if sync_token is not None:
            self._pieces.append(b"<D:sync-token>%b</D:sync-token>\n" % escape(sync_token))
        self._pieces.append(b"</D:multistatus>\n")
        self._flush()

    def _flush(self) -> None:
        self._write(b"".join(self._pieces))
        self._pieces.clear()


def render_response(href: bytes, found: bytes, missing: bytes = b"") -> bytes:
    """Return the response of one resource: elements with values, and empty elements of those it does not have."""
    if not missing:
        return _FOUND % (href, found)
    if found:
        return _FOUND_AND_MISSING % (href, found, missing)
    return _MISSING % (href, missing)


def render_gone(href: bytes) -> bytes:
    """Return the response of a resource that is not there, or that the asker may not know of."""
    return _REMOVED % href


def proppatch_response(href: bytes, groups: Iterable[PropStat]) -> bytes:
    """Return the body of the answer to a PROPPATCH: the status of each property."""
    return b"%b<D:multistatus%b>\n%b</D:multistatus>\n" % (DECLARATION, ROOT_NAMESPACES, _patched(href, groups))


def _patched(href: bytes, groups: Iterable[PropStat]) -> bytes:
    return b"<D:response><D:href>%b</D:href>%b</D:response>\n" % (href, _propstats(groups))


def mkcol_response(groups: Iterable[PropStat]) -> bytes:
    """Return the body of an extended MKCOL that failed: the status of each property (RFC 5689 §5.2)."""
    return b"%b<D:mkcol-response%b>%b</D:mkcol-response>" % (DECLARATION, ROOT_NAMESPACES, _propstats(groups))


def _propstats(groups: Iterable[PropStat]) -> bytes:
    return b"".join(
        b"<D:propstat><D:prop>%b</D:prop>%b%b</D:propstat>" % (properties, _status(status), _error(condition))
        for status, properties, condition in groups
    )


@lru_cache(maxsize=64)
def _status(status: int) -> bytes:
    return b"<D:status>HTTP/1.1 %d %b</D:status>" % (status, HTTPStatus(status).phrase.encode())


def _error(condition: bytes | None) -> bytes:
    return element("{DAV:}error", condition) if condition else b""
