"""GET of a collection for programs: an HTML list with relative links, which mirrors follow, or the names as text.

The list is whole, however long: the programs that read such lists do not follow links with a query.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from html import escape
from http import HTTPStatus
from typing import Final

from davstore.dav.request import Request
from davstore.dav.responses import Headers, Listed, Response, Spooled
from davstore.protocol.dav.hrefs import encode_segment
from davstore.protocol.http.accept import wants_text

Names = Iterable[str]
"""Names of members; those of collections end in a slash."""
Pages = Generator[Names, None, None]

_HEADERS: Final[Headers] = [
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept, Authorization"),
    ("Content-Security-Policy", "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_HEAD: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<ul>
"""
_FOOT: Final = b"</ul>\n</body>\n</html>\n"


def listing(request: Request, pages: Pages) -> Response:
    """Return the answer to GET of a collection with pages of names, which are taken when it is sent."""
    wanted, write = (_TEXT, _text) if wants_text(request.header("ACCEPT")) else (_HTML, _html)
    body = Spooled(lambda out: write(request, pages, out))
    return Response(HTTPStatus.OK, [("Content-Type", wanted), *_HEADERS], body, Listed())


def _text(_request: Request, pages: Pages, out: Callable[[bytes], object]) -> None:
    with closing(pages):
        for names in pages:
            out("".join([f"{name}\n" for name in names]).encode())


def _html(request: Request, pages: Pages, out: Callable[[bytes], object]) -> None:
    out(_HEAD.format(title=escape("/".join(request.target.segments))).encode())
    with closing(pages):
        for names in pages:
            out("".join(map(_item, names)).encode())
    out(_FOOT)


def _item(name: str) -> str:
    """Return a member's link. It begins with `./`, or else `a:b` would be of the scheme `a` (RFC 3986 §4.2).

    An apostrophe is escaped for URLs: lftp does not know how HTML escapes it.
    """
    slash = "/" if name.endswith("/") else ""
    segment = encode_segment(name.removesuffix("/")).replace("'", "%27")
    href = f"./{segment}{slash}"
    return f'<li><a href="{escape(href)}">{escape(name)}</a></li>\n'
