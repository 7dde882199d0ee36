"""`Slug`: the name that a client wishes for a new member of a collection (RFC 5023 §9.7, RFC 5995 §3.2.3)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def parse_slug(value: str | None) -> str | None:
    """Return the text of the field, decoded; None without one, or where it is no percent-encoded UTF-8."""
    if value is None:
        return None
    try:
        return unquote_to_bytes(value.encode("latin-1").strip()).decode() or None
    except UnicodeError:
        return None
