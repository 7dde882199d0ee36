"""Error pages for people in a browser; they hold nothing of the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, NamedTuple

from davstore.web.templates import PROTECTION, STYLE, load_template


class Words(NamedTuple):
    """A title, a sentence or two, and whether the same request may succeed when it is sent again."""

    title: str
    text: str
    may_pass: bool = False


_WORDS: Final = {
    HTTPStatus.UNAUTHORIZED: Words(
        "Please sign in", "Try again, and your browser asks for your name and your password.", may_pass=True
    ),
    HTTPStatus.FORBIDDEN: Words("This is not allowed", "The store does not let you do this."),
    HTTPStatus.NOT_FOUND: Words("There is nothing here", "It was moved or deleted, or the address is not complete."),
    HTTPStatus.TOO_MANY_REQUESTS: Words("Too many attempts", "The store takes no more for a while.", may_pass=True),
    HTTPStatus.INTERNAL_SERVER_ERROR: Words(
        "Something went wrong", "That is the store's fault; its log says what happened.", may_pass=True
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: Words("Not just now", "The store cannot answer at the moment.", may_pass=True),
}
_OTHER: Final = Words("This did not work", "The store cannot do what your browser asked for.")
_TEMPLATE: Final = load_template("refusal.html")


def render_refusal(
    status: HTTPStatus, home: str, retry_after_seconds: int | None
) -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and HTML of an error. home is the path that redirects to the files of the user who signs in."""
    words = _WORDS.get(status, _OTHER)
    html = _TEMPLATE.render(style=STYLE, status=status, words=words, home=home, retry_after_seconds=retry_after_seconds)
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        *PROTECTION,
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Authorization"),
    ]
    return headers, html.encode()
