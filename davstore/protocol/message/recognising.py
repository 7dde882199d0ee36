"""Recognition of mail by its first header block: by content, never by name."""

from __future__ import annotations

import re
from typing import Final

from davstore.protocol.message.head import Fields, Head

LOOK_BYTES: Final = 4096
"""Bytes of a body that decide whether it may be a message at all."""

_FIRST_FIELD: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:>?From (?![ \t]*:)[^\n]{0,998}\n){0,2}(?=[A-Za-z][!-9;-~]{0,75}[ \t]{0,64}:)"
)
_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,256}<")

_ADDRESS: Final = re.compile(rb"@|<>|\b(?:tel|sips?|im|pres|urn):|\A\s*\Z", re.IGNORECASE)
_ID: Final = re.compile(rb"<[^<>]*>|@")
_ANY: Final = re.compile(rb"\S")
_RECEIVED: Final = re.compile(rb"\b(?:by|from|for|with|id)\b|;", re.IGNORECASE)
_VERSION: Final = re.compile(rb"\s*(?:\([^)]*\)\s*)?\d")
_DATE: Final = re.compile(
    rb"\d\d?[ \t.-]+(?:[A-Za-z\x80-\xff.]{3,12}|\d\d?)[ \t.-]+\d\d|\d{4}-\d\d-\d\d", re.IGNORECASE
)
_TIME: Final = re.compile(rb"\d\d?[:.]\d\d")
_TYPE: Final = re.compile(rb"^\s*[!#-'*+.^-~0-9A-Z-]+/[!#-'*+.^-~0-9A-Z-]+")

_OF_MAIL: Final = {
    **dict.fromkeys(
        (b"from", b"to", b"cc", b"bcc", b"sender", b"reply-to", b"delivered-to", b"x-original-to"), _ADDRESS
    ),
    **dict.fromkeys((b"message-id", b"in-reply-to", b"references", b"return-path", b"resent-message-id"), _ID),
    **dict.fromkeys((b"resent-from", b"resent-to", b"envelope-to"), _ADDRESS),
    **dict.fromkeys((b"conversation-id", b"contribution-id", b"inreplyto-contribution-id", b"imdn-message-id"), _ANY),
    **dict.fromkeys((b"message-context", b"message-direction", b"message-correlator", b"x-mailer", b"list-id"), _ANY),
    b"subject": re.compile(rb""),
    **dict.fromkeys((b"dkim-signature", b"authentication-results", b"x-spam-status"), _ANY),
    b"received": _RECEIVED,
    b"mime-version": _VERSION,
}
"""Fields that mail has, by the form of their values: two of them make a body a message. A draft has empty ones."""
_OF_OTHERS_TOO: Final = {b"content-type": _TYPE, b"content-transfer-encoding": _ANY}
"""Fields that HTTP has as well, where only one may be of these. A `Date` has a time of day."""
_SIGN_BYTES: Final = 16 * 1024
_SIGN: Final = re.compile(
    rb"^(?:" + b"|".join((*_OF_MAIL, *_OF_OTHERS_TOO, b"date", b"datetime", b"ns")) + rb")[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)


def has_sign(data: bytes, start: int) -> bool:
    """Tell whether a field of a message stands at the beginning: if none does, the block need not be read."""
    return _SIGN.search(data, start, start + _SIGN_BYTES) is not None


def may_be_message(first: bytes) -> int | None:
    """Return where the first field of a body begins, from its first bytes; None: it begins with none."""
    match = _FIRST_FIELD.match(first)
    return match.end() if match else None


def may_be_xml(first: bytes) -> bool:
    """Tell from its first bytes whether a body may be an XML document."""
    return _XML.match(first) is not None


def is_mail(data: bytes, start: int, head: Head, *, declared: bool = False) -> bool:
    """Tell whether a header block is that of a mail: two well-formed fields, one of which only mail has.

    One is enough where the sender of the body declared it to be a message.
    A single word in lower case (`from`, `to`, `subject`) is a key of many formats of settings, and so no sign.
    """
    signs = 0
    for name, values in head.fields.items():
        form = _OF_MAIL.get(name)
        if form is None or not form.search(values[0]) or _is_plain_word(name, data, start, head.body):
            continue
        signs += 1
        if signs == 2 or declared:
            return True
    return signs == 1 and _has_other_sign(head.fields)


def _is_plain_word(name: bytes, data: bytes, start: int, stop: int) -> bool:
    if b"-" in name:
        return False
    return data.startswith(name, start) or data.find(b"\n" + name, start, stop) >= 0


def _has_other_sign(fields: Fields) -> bool:
    date = fields.get(b"date", [b""])[0]
    if _DATE.search(date) and _TIME.search(date):
        return True
    return any(form.search(fields[name][0]) for name, form in _OF_OTHERS_TOO.items() if name in fields)
