"""A BODYSTRUCTURE (RFC 9051 §7.5.2) as the parts that it numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests import mail_oracles

_BEHIND_BASIC: Final = 8
"""Items of a leaf before its disposition: seven, and the digest. A text has its lines too, a message three items."""


class Structure(NamedTuple):
    """A part as it is described; charset and encoding are those of leaves, with their defaults."""

    media_type: str
    charset: str | None
    encoding: str | None
    content_id: str | None
    disposition: str | None
    filename: str | None

    @property
    def is_composite(self) -> bool:
        """Whether its content is other parts."""
        return self.media_type == "message/rfc822" or self.media_type.startswith("multipart/")


def read_structure(node: list[Any], prefix: str = "") -> Iterator[tuple[str, Structure]]:
    """Yield the parts of the structure of a message by number: those of its multipart, or itself as part 1."""
    children = [child for child in node if isinstance(child, list)] if isinstance(node[0], list) else [node]
    if isinstance(node[0], list):
        children = children[: next(at for at, child in enumerate(node) if not isinstance(child, list))]
    for at, child in enumerate(children, 1):
        number = f"{prefix}{at}"
        part = _multipart(child) if isinstance(child[0], list) else _leaf(child)
        yield number, part
        if isinstance(child[0], list):
            yield from read_structure(child, f"{number}.")
        elif part.media_type == "message/rfc822":
            yield from read_structure(child[8], f"{number}.")


def _multipart(node: list[Any]) -> Structure:
    at = next(at for at, child in enumerate(node) if not isinstance(child, list))
    disposition, filename = _placed(node[at + 2], _parameters(node[at + 1]))
    return Structure(f"multipart/{_text(node[at])}".lower(), None, None, None, disposition, filename)


def _leaf(node: list[Any]) -> Structure:
    media_type = f"{_text(node[0])}/{_text(node[1])}".lower()
    parameters = _parameters(node[2])
    more = 1 if media_type.startswith("text/") else 3 if media_type == "message/rfc822" else 0
    placed = node[_BEHIND_BASIC + more] if len(node) > _BEHIND_BASIC + more else None
    disposition, filename = _placed(placed, parameters)
    content_id = (_text(node[3]) or "").strip("<> ") or None
    charset = (parameters.get("charset") or "us-ascii").lower() if media_type.startswith("text/") else None
    return Structure(media_type, charset, (_text(node[5]) or "").lower(), content_id, disposition, filename)


def _placed(disposition: list[Any] | None, parameters: dict[str, str]) -> tuple[str | None, str | None]:
    """Return a disposition and the name of the file, which the type may say in its place."""
    named = _parameters(disposition[1]) if disposition else {}
    filename = mail_oracles.read_text(named.get("filename") or parameters.get("name"))
    return (_text(disposition[0]) or "").lower() or None if disposition else None, filename


def _parameters(items: list[Any] | None) -> dict[str, str]:
    texts = [_text(item) or "" for item in items or []]
    return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else mail_oracles.decode_raw(raw)
