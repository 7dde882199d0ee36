"""GET and HEAD for a person in a browser; every other request goes on to WebDAV."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from davstore.engine.context import Services
from davstore.engine.rights import home
from davstore.errors import NotFound, PreconditionFailed
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import MOUNTS, TARGET
from davstore.middleware.places import PLACE
from davstore.middleware.sync_gate import answered, view_of
from davstore.middleware.xml_body import content_length
from davstore.model.conditions import Preconditions
from davstore.model.paths import Area, Path
from davstore.model.views import EVERYTHING
from davstore.policy.preconditions import Verdict, judge
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import Target, encode_segment
from davstore.protocol.http.accept import wants_html, wants_page
from davstore.protocol.http.headers import parse_etags
from davstore.protocol.http.queries import parse_query
from davstore.store import browsing, browsing_threads
from davstore.web import conversation, message
from davstore.web.ordering import parse_ordering, parse_span
from davstore.web.page import render_page
from davstore.web.templates import PROTECTION, Headers

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MEMBERS: Final = 1_000
"""The most members of a page: half a megabyte of HTML, more than a person reads."""
_IN_THREAD: Final = 2
"""Names that lead to a message in a thread."""
SHARED: Final = "Shared with me"
_CACHING: Final = [("Cache-Control", "private, no-cache"), ("Vary", "Accept, Authorization")]


class Pages:
    """Stands around the WebDAV application. services are those of the store calls."""

    def __init__(self, application: WSGIApplication, services: Services) -> None:
        self._application = application
        self._services = services

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with a page, redirect to the user's own store, or pass the request on.

        Raises:
            NotFound: the URL is unmapped. Malformed: a query that cannot be read.
            PreconditionFailed: a condition of the request does not hold for the page.
            SyncRefused, SyncDeferred, DeviceRequired: see `middleware.sync_gate`.
        """
        if not _is_from_browser(environ):
            return self._application(environ, start_response)
        target: Target = environ[TARGET]
        path, own = environ[PLACE], urls.segments_of(home(environ[PRINCIPAL]))
        depth = len(target.segments)
        if depth < len(own) and target.segments == own[:depth]:
            return _lead(start_response, own[depth if target.slash else depth - 1 :])
        if target.slash and isinstance(path, Path) and path.area is Area.THREADS and len(path.names) < _IN_THREAD:
            answer = _send(environ, start_response, *self._show_conversations(environ, path, target.query))
            answered(environ)
            return answer
        if target.slash and isinstance(path, Path):
            ordering = parse_ordering(target.query)
            context = self._services.context(environ[PRINCIPAL])
            list_page = partial(
                browsing.list_page,
                context,
                path,
                ordering.sort,
                descending=ordering.descending,
                after=ordering.after,
                limit=MEMBERS,
            )
            page = list_page()
            if page.top.is_collection:
                view = view_of(environ)
                if view is not EVERYTHING:
                    page = list_page(view=view)
                answer = _send(environ, start_response, render_page(page, ordering, _way(environ, path)), PROTECTION)
                answered(environ)
                return answer
        elif isinstance(path, Path) and wants_page(environ.get("HTTP_ACCEPT")):
            shown = self._show_message(environ, path, target.query)
            if shown is not None:
                return _send(environ, start_response, *shown)
        return self._application(environ, start_response)

    def _show_conversations(self, environ: WSGIEnvironment, path: Path, query: str) -> tuple[bytes, Headers]:
        """Return the list of conversations, or a page of one.

        Raises:
            NotFound: there is no such conversation, or no such store. Malformed, SyncRefused, SyncDeferred,
                DeviceRequired: as from `__call__`.
        """
        span, view, context = parse_span(query), view_of(environ), self._services.context(environ[PRINCIPAL])
        if not path.names:
            threads = browsing_threads.list_threads(
                context, path, before=span.before, limit=conversation.THREADS, view=view
            )
            return conversation.render_threads(threads, span), PROTECTION
        opened = browsing_threads.open_conversation(
            context, path, before=span.before, after=span.after, limit=conversation.MESSAGES, view=view
        )
        with closing(opened.messages):
            return conversation.render_conversation(path, opened), conversation.PROTECTION

    def _show_message(self, environ: WSGIEnvironment, path: Path, query: str) -> tuple[bytes, Headers] | None:
        """Return the page of a message, or of one part of it; None: another answer is asked for, or it is no message.

        Raises:
            NotFound: nothing is there, or no such part of HTML.
        """
        words = dict(parse_query(query))
        opened = None
        if message.ORIGINAL not in words:
            opened = browsing.open_message(self._services.context(environ[PRINCIPAL]), path)
        if opened is None:
            return None
        with closing(opened.body):
            number = words.get(message.FRAMED)
            if number is None:
                return message.render_message(path, opened, _way(environ, path)), message.PROTECTION
            frame = message.render_frame(opened, number)
        if frame is None:
            raise NotFound(number)
        return frame, message.FRAME_PROTECTION


def _way(environ: WSGIEnvironment, path: Path) -> tuple[str, ...]:
    """Return the names that a page shows of the way to a place: from the root of its store, or from the shares."""
    if not environ.get(MOUNTS):
        return (path.store, *path.names)
    target: Target = environ[TARGET]
    return (SHARED, *target.segments[len(urls.SHARED) + 1 :])


def _is_from_browser(environ: WSGIEnvironment) -> bool:
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and wants_html(environ.get("HTTP_ACCEPT"))
        and "HTTP_IF" not in environ
        and content_length(environ) == 0
    )


def _lead(start_response: StartResponse, names: tuple[str, ...]) -> Iterable[bytes]:
    """Redirect to a path beneath; the reference is relative, for a proxy may have put the tree anywhere."""
    location = "".join([f"{encode_segment(name)}/" for name in names])
    start_response("307 Temporary Redirect", [("Location", f"./{location}"), ("Content-Length", "0"), *_CACHING])
    return []


def _send(environ: WSGIEnvironment, start_response: StartResponse, body: bytes, headers: Headers) -> Iterable[bytes]:
    """Answer with a page, or with 304: its entity tag is a digest of its bytes. headers are those of its protection."""
    etag = hashlib.sha256(body).hexdigest()[:32]
    headers = [*headers, *_CACHING, ("ETag", f'"{etag}"')]
    conditions = Preconditions(
        if_match=parse_etags(environ.get("HTTP_IF_MATCH")), if_none_match=parse_etags(environ.get("HTTP_IF_NONE_MATCH"))
    )
    verdict = judge(conditions, exists=True, etag=etag, modified_us=None, safe=True)
    if verdict is Verdict.FAILED:
        raise PreconditionFailed("the page has changed")
    if verdict is Verdict.NOT_MODIFIED:
        start_response("304 Not Modified", headers)
        return []
    headers += [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
