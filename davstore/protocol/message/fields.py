"""Facts from the header block of a message: which field says what, and in what form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from davstore.protocol.message.dates import parse_date
from davstore.protocol.message.head import Fields
from davstore.protocol.message.words import decode_field, one_line

_ID: Final = re.compile(r"<([^<>]*)>")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_DIRECTIONS: Final = {"sent": "sent", "out": "sent", "received": "received", "in": "received"}


def _addresses(values: list[bytes]) -> str | None:
    texts = [text for value in values if (text := decode_field(value, phrases=True))]
    return one_line(", ".join(texts))


def _text(values: list[bytes]) -> str | None:
    return decode_field(values[0])


def _id(values: list[bytes]) -> str | None:
    """Return an id without its brackets, which may be missing, as may be the blanks and comments around it."""
    text = decode_field(values[0])
    if text is None:
        return None
    found = _ID.search(text)
    return "".join((found[1] if found else _COMMENT.sub("", text)).split()).strip("<>") or None


def _token(values: list[bytes]) -> str | None:
    """Return an id that is compared as it stands, but for brackets around all of it."""
    text = (decode_field(values[0]) or "").strip()
    return (text[1:-1] if text.startswith("<") and text.endswith(">") else text) or None


def _ids(values: list[bytes]) -> str | None:
    """Return the ids in brackets, in order; without any, words that are all ids."""
    text = decode_field(values[0])
    if text is None:
        return None
    found = ["".join(one.split()) for one in _ID.findall(text)]
    if not found:
        words = _COMMENT.sub("", text).replace(",", " ").split()
        found = [word.strip("<>") for word in words] if all("@" in word for word in words) else []
    return " ".join(filter(None, found)) or None


def _direction(values: list[bytes]) -> str | None:
    return _DIRECTIONS.get((decode_field(values[0]) or "").lower())


_FACTS: Final[tuple[tuple[bytes, str, Callable[[list[bytes]], str | None]], ...]] = (
    (b"from", "from_", _addresses),
    (b"to", "to", _addresses),
    (b"cc", "cc", _addresses),
    (b"bcc", "bcc", _addresses),
    (b"subject", "subject", _text),
    (b"message-id", "message_id", _id),
    (b"in-reply-to", "in_reply_to", _ids),
    (b"references", "references", _ids),
    (b"conversation-id", "conversation_id", _token),
    (b"contribution-id", "contribution_id", _token),
    (b"inreplyto-contribution-id", "in_reply_to_contribution_id", _token),
    (b"imdn-message-id", "imdn_message_id", _id),
    (b"message-context", "message_context", _text),
    (b"message-direction", "direction", _direction),
    (b"message-correlator", "message_correlator", _text),
    (b"p-asserted-service", "p_asserted_service", _text),
)


def read_facts(fields: Fields) -> dict[str, str]:
    """Return the facts that fields say, by the names of `MessageFacts`; of single ones the first field counts."""
    return {key: fact for name, key, form in _FACTS if name in fields and (fact := form(fields[name])) is not None}


def read_date(fields: Fields) -> int | None:
    """Return the microseconds since the epoch that `Date` says."""
    text = _text(fields[b"date"]) if b"date" in fields else None
    return parse_date(text) if text else None


def joined(*sources: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return the facts of all sources; the first that says one counts."""
    return {key: fact for source in reversed(sources) for key, fact in source.items()}
