"""Facts and parts of mail by the standard library's `email`, which shares no code with davstore's reader of mail.

Compared are addresses, not how they are spelled; ids without blanks within; text with each run of white space as a
blank. What a sender did not declare is UTF-8, else windows-1252, to both.
"""

from __future__ import annotations

import binascii
import datetime
import quopri
import re
from collections.abc import Iterable, Iterator, Mapping
from email import header, message, parser, policy, utils
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.samples import SAMPLES

_POSTMARKS: Final = re.compile(rb"(?:>?From [^\n]*\n){0,2}")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SPACE: Final = re.compile(r"[ \t\r\n\0]+")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]+")
_BLANKS: Final = re.compile(rb"[ \t]+(?=\r?\n|\Z)")


class Facts(NamedTuple):
    """The facts of a message that can be compared; date is in seconds. None or empty: it does not say them."""

    date: float | None
    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    subject: str | None
    from_: frozenset[str]
    to: frozenset[str]
    cc: frozenset[str]
    bcc: frozenset[str]


def without_postmarks(content: bytes) -> bytes:
    """Return a message without the lines that an mbox puts in front of it."""
    found = _POSTMARKS.match(content)
    return content[found.end() :] if found else content


def facts_of(content: bytes) -> Facts:
    """Return the facts that the standard library finds in the header block of a message."""
    fields = parser.BytesHeaderParser(policy=policy.compat32).parsebytes(without_postmarks(content))
    return Facts(
        read_date(_first(fields, "date")),
        read_id(_first(fields, "message-id")),
        read_ids(_first(fields, "in-reply-to")),
        read_ids(_first(fields, "references")),
        read_text(_first(fields, "subject")),
        *(read_addresses(_all(fields, name)) for name in ("from", "to", "cc", "bcc")),
    )


def told(facts: Mapping[str, str | None]) -> Facts:
    """Return the facts that davstore tells, given by the local names of its properties."""
    date = facts.get("date")
    return Facts(
        datetime.datetime.fromisoformat(date).timestamp() if date else None,
        facts.get("message-id"),
        tuple((facts.get("in-reply-to") or "").split()),
        tuple((facts.get("references") or "").split()),
        plain(facts.get("subject") or "") or None,
        *(read_addresses([facts.get(name) or ""]) for name in ("from", "to", "cc", "bcc")),
    )


def differences(ours: Facts, theirs: Facts) -> Iterator[str]:
    """Yield the names of the facts that differ."""
    for name, one, other in zip(Facts._fields, ours, theirs, strict=True):
        if one != other:
            yield name


def read_date(text: str | None) -> float | None:
    """Return the seconds since the epoch of a date from 1970 on; a year of three digits counts from 1900."""
    parsed = utils.parsedate_tz(text or "")
    if parsed is None:
        return None
    year, month, day, hour, minute, second = parsed[:6]
    try:
        moment = datetime.datetime(year + 1900 * (year < 1000), month, day, tzinfo=datetime.UTC)
    except ValueError:
        return None
    seconds = (moment - _EPOCH).total_seconds() + hour * 3600 + minute * 60 + second - (parsed[9] or 0)
    return seconds if seconds >= 0 else None


def read_id(text: str | None) -> str | None:
    """Return an id: what stands in brackets, else all of it."""
    found = re.search(r"<([^<>]*)>", text or "")
    return "".join((found[1] if found else (text or "").strip("<> ")).split()) or None


def read_ids(text: str | None) -> tuple[str, ...]:
    """Return the ids in brackets."""
    return tuple("".join(one.split()) for one in re.findall(r"<([^<>]*)>", text or ""))


def read_text(text: str | None) -> str | None:
    """Return the text of a field with its encoded words decoded."""
    try:
        pieces = header.decode_header(text or "")
        decoded = "".join(one if isinstance(one, str) else one.decode(charset or "ascii") for one, charset in pieces)
    except (UnicodeError, LookupError, ValueError):
        decoded = text or ""
    return plain(decoded) or None


def read_addresses(values: Iterable[str]) -> frozenset[str]:
    """Return the addresses of fields without the names of their owners."""
    return frozenset(address for _, address in utils.getaddresses([*values]) if "@" in address)


def plain(text: str) -> str:
    """Return text with white space as single blanks."""
    return _SPACE.sub(" ", text).strip(" ")


def decode_raw(raw: bytes) -> str:
    """Return characters that nobody has declared."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def decode_content(raw: bytes, encoding: str) -> bytes:
    """Return the content of a part, decoded by the standard library."""
    if encoding == "quoted-printable":
        return quopri.decodestring(_BLANKS.sub(b"", raw))
    if encoding == "base64":
        text = _NOT_BASE64.sub(b"", raw).partition(b"=")[0]
        text = text[:-1] if len(text) % 4 == 1 else text
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    return raw


def parts_of(content: bytes) -> dict[str, message.Message[Any, Any]]:
    """Return the parts of a message by the numbers of IMAP (RFC 9051 §6.4.5)."""
    return dict(_numbered(parser.BytesParser(policy=policy.compat32).parsebytes(without_postmarks(content)), ""))


def _numbered(whole: message.Message[Any, Any], prefix: str) -> Iterator[tuple[str, message.Message[Any, Any]]]:
    """Yield the parts of a message: those of its multipart, or itself as part 1."""
    children: Any = whole.get_payload() if whole.get_content_maintype() == "multipart" else [whole]
    if isinstance(children, str):  # a multipart without parts
        children = [whole]
    for at, child in enumerate(children, 1):
        number = f"{prefix}{at}"
        yield number, child
        kind = child.get_content_type()
        if child is not whole and child.is_multipart() and (kind == "message/rfc822" or "multipart" in kind):
            below = child.get_payload(0) if kind == "message/rfc822" else child
            yield from _numbered(below, f"{number}.")


def _all(fields: message.Message[Any, Any], name: str) -> list[str]:
    """Return the values of a field as text, in which `email` keeps bytes of no declared charset as surrogates."""
    found = [value for key, value in fields.raw_items() if key.lower() == name]
    return [decode_raw(str(value).encode("utf-8", "surrogateescape")) for value in found]


def _first(fields: message.Message[Any, Any], name: str) -> str | None:
    return next(iter(_all(fields, name)), None)


def sample_files() -> list[Path]:
    """Return the files of real mail, none where there is no corpus."""
    return sorted(file for file in (SAMPLES / "mail").rglob("*") if file.is_file() and file.name != "README")
