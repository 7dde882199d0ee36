"""The Accept header, as far as it distinguishes browsers, which get pages, from programs (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from typing import Final

SET_TYPES: Final = (ZIP := "application/zip", RELATED := "multipart/related")
"""Media types of all members of a collection in one answer."""
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
_HTML: Final = ("text/html", "text/*", "*/*")
"""Media ranges that HTML is in, the most specific first: only that one counts."""


def wants_html(value: str | None) -> bool:
    """Tell whether HTML is asked for by its name, and nothing else more than it: `*/*` is what every program sends."""
    if value is None or "html" not in value.lower() or find_set_type(value) is not None:
        return False
    qualities = _qualities(value)
    html = qualities.get("text/html", 0.0)
    return html > 0 and html >= qualities.get("text/plain", 0.0)


def wants_page(value: str | None) -> bool:
    """Tell whether a page is asked for in the place of a file: by a browser, which names XHTML beside HTML.

    KDE's file managers and Java's own client send `text/html` with every GET, mean the file, and take any type; a
    client that takes HTML alone gets HTML. One that names messages and takes HTML no more than them gets the message.
    """
    if value is None or not wants_html(value):
        return False
    qualities = _qualities(value)
    message = max((quality for kind, quality in qualities.items() if kind.startswith("message/")), default=0.0)
    if message >= qualities["text/html"]:
        return False
    return "application/xhtml+xml" in qualities or qualities.keys().isdisjoint(("*/*", "*"))


def wants_text(value: str | None) -> bool:
    """Tell whether plain text is asked for by its name, and HTML by its own less than it."""
    if value is None or "plain" not in value.lower():
        return False
    qualities = _qualities(value)
    text = qualities.get("text/plain", 0.0)
    html = next((qualities[kind] for kind in _HTML if kind in qualities), 0.0)
    return text > 0 and (text > html or (text == html and "text/html" not in qualities))


def find_set_type(value: str | None) -> str | None:
    """Return the media type of a set of members that is asked for by its name, no less than a list; None: none is."""
    if value is None or not any(kind in value.lower() for kind in SET_TYPES):
        return None
    qualities = _qualities(value)
    quality, kind = max((qualities.get(kind, 0.0), kind) for kind in SET_TYPES)
    lists = max(qualities.get("text/html", 0.0), qualities.get("text/plain", 0.0))
    return kind if quality > 0 and quality >= lists else None


def _qualities(value: str) -> dict[str, float]:
    """Return the quality of each media range that is named, 1 where it cannot be read; the first of two counts."""
    found: dict[str, float] = {}
    for item in value.lower().split(","):
        kind, *parameters = [word.strip(" \t") for word in item.split(";")]
        matches = (_QUALITY.fullmatch(parameter) for parameter in parameters)
        found.setdefault(kind, next((float(match[1]) for match in matches if match), 1.0))
    return found
