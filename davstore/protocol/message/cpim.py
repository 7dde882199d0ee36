"""The message headers of `message/cpim` (RFC 3862 §2.2, §3): between the outer MIME headers and the inner ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from davstore.model.messages import MOST_FACT_CHARACTERS, MOST_HEADER_BYTES
from davstore.protocol.http.timestamps import parse_timestamp
from davstore.protocol.message.dates import parse_date
from davstore.protocol.message.words import decode_bytes, one_line

_CORE: Final = "urn:ietf:params:cpim-headers:"
_IMDN: Final = "urn:ietf:params:imdn"

_FACTS: Final[dict[tuple[str | None, str], str]] = {
    (_CORE, "From"): "from_",
    (_CORE, "To"): "to",
    (_CORE, "cc"): "cc",
    (_CORE, "Subject"): "subject",
    (_CORE, "Conversation-ID"): "conversation_id",
    (_CORE, "Contribution-ID"): "contribution_id",
    (_CORE, "InReplyTo-Contribution-ID"): "in_reply_to_contribution_id",
    (_CORE, "IMDN-Message-ID"): "imdn_message_id",
    (_IMDN, "Message-ID"): "imdn_message_id",
}
"""The names that clients put before a CPIM stand here too: in a bare one they have no other place."""
_LISTS: Final = frozenset({"to", "cc"})
_IDS: Final = frozenset({"conversation_id", "contribution_id", "in_reply_to_contribution_id", "imdn_message_id"})
_NS: Final = (_CORE, "NS")
_REQUIRE: Final = (_CORE, "Require")
_DATE_TIME: Final = (_CORE, "DateTime")
_UNDERSTOOD: Final = frozenset({*_FACTS, _NS, _REQUIRE, _DATE_TIME})

_OF_MAIL: Final = frozenset(
    {"date", "message-id", "received", "return-path", "sender", "reply-to", "in-reply-to", "references", "mime-version"}
)

_BLANK: Final = re.compile(rb"\n\r?\n")
_CONTENT: Final = re.compile(rb"(?:^|(?<=\n))content-[!-9;-~]+[ \t]*:", re.IGNORECASE)
_CONTENT_TYPE: Final = re.compile(rb"(?:^|(?<=\n))content-type[ \t]*:", re.IGNORECASE)
_FIELD: Final = re.compile(rb"[!-9;-~]{1,256}[ \t]{0,16}:")
_LINE: Final = re.compile(r'([!-9;-~]+):((?:;[^\s;"]*(?:"(?:[^"\\]|\\.)*")?)*)[ \t]*(.*)', re.DOTALL)
_LANGUAGE: Final = re.compile(r";lang=", re.IGNORECASE)
_NAMESPACE: Final = re.compile(r"([^\s<]*)\s*<([^>]*)>")
_WITH_SCHEME: Final = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:")

_ESCAPE: Final = re.compile(r"""\\(?:u([0-9A-Fa-f]{4})|([btnr"'\\]))""")
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "r": "\r"}


class CpimHead(NamedTuple):
    """The facts that the message headers say, by the names of `MessageFacts`, and their `DateTime`.

    inner_start is where the MIME headers of the encapsulated entity begin.
    """

    fields: Mapping[str, str]
    date_us: int | None
    inner_start: int


class _Header(NamedTuple):
    name: str
    parameters: str
    value: str


def find_cpim(content: bytes, start: int) -> CpimHead | None:
    """Return the head of the CPIM whose message headers begin at start; None: there is no CPIM.

    Behind an outer block of MIME headers (start > 0) the media type has said what it is, so lines that are no headers
    do not count. A bare CPIM (start 0) must look like nothing else: only headers, `From`, then `DateTime` or `NS` or a
    `To` where both name URIs with a scheme, none of the names that mails have, and an inner block with a `Content-Type`
    (RFC 3862 §2). The blank line before the inner block may be missing, in a bare one not without `DateTime` or `NS`.

    Several `To` and `cc` are joined by a comma; of other headers the first counts, of `Subject` the first without a
    language, else the first (§4.5). A `Require` of a name that is not understood here leaves the headers
    uninterpreted: no facts, no date; the message is kept, and its entity can be read (§3.5).
    """
    is_bare = start == 0
    if is_bare and not _FIELD.match(content):
        return None
    if content.startswith((b"\r\n", b"\n"), start):
        return None if is_bare else CpimHead({}, None, content.index(b"\n", start) + 1)
    blank = _BLANK.search(content, start, start + MOST_HEADER_BYTES)
    if blank is None:
        return None
    stop, inner = blank.span()
    if early := _CONTENT.search(content, start, stop):
        stop = inner = early.start()
    lines = content[start:stop].splitlines()
    headers = [_Header(*found.groups()) for line in lines if (found := _LINE.fullmatch(decode_bytes(line)))]
    if not headers:
        return None
    if is_bare and not (
        len(headers) == len(lines)
        and _is_no_mail(headers, has_blank=early is None)
        and _has_content_type(content, inner)
    ):
        return None
    return CpimHead(*_read(headers), inner)


def _is_no_mail(headers: list[_Header], *, has_blank: bool) -> bool:
    """Tell whether these are headers of a CPIM and not those of a mail."""
    names = {header.name for header in headers}
    if "From" not in names or not _OF_MAIL.isdisjoint(map(str.lower, names)):
        return False
    if "DateTime" in names or "NS" in names:
        return True
    identities = [header.value for header in headers if header.name in ("From", "To")]
    return has_blank and "To" in names and all(_WITH_SCHEME.search(identity) for identity in identities)


def _has_content_type(content: bytes, start: int) -> bool:
    """Tell whether a block of MIME headers with a `Content-Type` begins at start."""
    if not _FIELD.match(content, start):
        return False
    blank = _BLANK.search(content, start, start + MOST_HEADER_BYTES)
    block = content[start : blank.start() if blank else start + MOST_HEADER_BYTES]
    return _CONTENT_TYPE.search(block) is not None


def _read(headers: list[_Header]) -> tuple[Mapping[str, str], int | None]:
    """Return the facts of the headers and their date; neither if they require what is not understood."""
    namespaces = {"": _CORE, "imdn": _IMDN}  # the second is not always declared
    found: dict[str, list[str]] = {}
    foreign: list[str] = []
    date_us = None
    for header in headers:
        name = _resolve(header.name, namespaces)
        if name == _NS:
            if declared := _NAMESPACE.match(header.value):
                namespaces[declared[1]] = declared[2]
        elif name == _REQUIRE:
            if not all(_is_understood(_resolve(one.strip(), namespaces)) for one in header.value.split(",")):
                return {}, None
        elif name == _DATE_TIME:
            date_us = _date_us(header.value) if date_us is None else date_us
        elif (key := _FACTS.get(name)) and (value := _value(key, header.value)):
            of_key = foreign if key == "subject" and _LANGUAGE.search(header.parameters) else found.setdefault(key, [])
            of_key.append(value)
    if foreign:
        found.setdefault("subject", foreign)
    facts = {key: ", ".join(values if key in _LISTS else values[:1]) for key, values in found.items()}
    return {key: text[:MOST_FACT_CHARACTERS] for key, text in facts.items()}, date_us


def _resolve(name: str, namespaces: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the namespace of a header name and its local name (§3.4); `NS` and `Require` are always the core's."""
    if name in ("NS", "Require"):
        return _CORE, name
    prefix, _, local = name.rpartition(".")
    return namespaces.get(prefix), local


def _is_understood(name: tuple[str | None, str]) -> bool:
    """Tell whether what a header of this name asks for is known here."""
    return name[0] == _IMDN or name in _UNDERSTOOD


def _date_us(text: str) -> int | None:
    """Return the time of a `DateTime` (§4.4), which some write as the `Date` of a mail."""
    moment = parse_timestamp(text)
    return parse_date(text) if moment is None else moment


def _value(key: str, text: str) -> str | None:
    """Return the value of a header as a fact."""
    return one_line(text.strip(" <>") if key in _IDS else _unescaped(text))


def _unescaped(text: str) -> str:
    """Replace the escapes of §2.3; two that make a surrogate pair are one character, half a pair is U+FFFD."""
    if "\\" not in text:
        return text
    characters = _ESCAPE.sub(lambda it: chr(int(it[1], 16)) if it[1] else _ESCAPED.get(it[2], it[2]), text)
    return characters.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
