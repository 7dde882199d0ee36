"""The head of a request: its grammar, and how the body that follows is framed (RFC 9112 §2 to §6). Pure.

A head that two programs could read differently is refused: a second request could be smuggled in it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

END: Final = b"\r\n\r\n"
LINE_BYTES: Final = 16_384
"""No request line that a client has reason to send is longer."""

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Z-]{1,64}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_ABSOLUTE: Final = re.compile(r"https?://(?:[^/?#]*@)?([^/?#@]+)((?:[/?].*)?)", re.IGNORECASE)
_CONTROLS: Final = bytes(byte for byte in (*range(0x20), 0x7F) if byte not in b"\t\r\n")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_HOST: Final = re.compile(r"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Za-z:.]+\])(?::[0-9]*)?", re.ASCII)
_ONCE: Final = frozenset({"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_HOST"})
_BEGUN: Final = re.compile(rb"\r|[!#$%&'*+.^_`|~0-9A-Z-]{0,64}(?: |\Z)")
"""The first bytes that a request may have. Others, TLS for example, are refused at once, not after a head."""


class BadHead(Exception):
    """A request that cannot be framed; the connection ends with status."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Head(NamedTuple):
    """A request without its body. target is in origin form or `*`; fields have the names of WSGI's environ."""

    method: str
    target: str
    protocol: str
    fields: dict[str, str]
    length_bytes: int
    """The length of the body; 0 when it is chunked."""
    chunked: bool
    keeps_alive: bool
    expects_100: bool


def is_hopeless(part: bytes, max_bytes: int) -> BadHead | None:
    """Return why an incomplete head will never be complete (too long, or wrong ends of lines); None: it may be."""
    if too_long := _is_too_long(part, max_bytes):
        return too_long
    if not _BEGUN.match(part):
        return _malformed("Malformed request line")
    if part.count(b"\n") != part.count(b"\r\n"):
        return _malformed("A line does not end with CR LF")
    return None


def _is_too_long(part: bytes, max_bytes: int) -> BadHead | None:
    line_end = part.find(b"\r\n")
    if (len(part) if line_end < 0 else line_end) > min(LINE_BYTES, max_bytes):
        return BadHead(HTTPStatus.REQUEST_URI_TOO_LONG, "The request line is too long")
    if len(part) > max_bytes:
        return BadHead(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields are too long")
    return None


def parse_head(block: bytes, max_bytes: int) -> Head:
    """Read a head; block has all its lines without the empty one.

    Raises:
        BadHead: 400, 414, 431, 501 or 505.
    """
    if too_long := _is_too_long(block, max_bytes):
        raise too_long
    line, _, rest = block.partition(b"\r\n")
    method, target, minor = _parse_request_line(line)
    fields = _parse_fields(rest)
    if method == "OPTIONS" and target == "*":
        pass
    elif not target.startswith("/"):
        target = _from_absolute(target, fields)
    new = minor > 0
    _check_framing(fields, new=new)
    options = {option.strip().lower() for option in fields.get("HTTP_CONNECTION", "").split(",")}
    return Head(
        method=method,
        target=target,
        protocol="HTTP/1.1" if new else "HTTP/1.0",
        fields=fields,
        length_bytes=int(fields.get("CONTENT_LENGTH", 0)),
        chunked="HTTP_TRANSFER_ENCODING" in fields,
        keeps_alive="close" not in options and (new or "keep-alive" in options),
        expects_100=new and fields.get("HTTP_EXPECT", "").lower() == "100-continue",
    )


def _malformed(text: str) -> BadHead:
    return BadHead(HTTPStatus.BAD_REQUEST, text)


def _parse_request_line(line: bytes) -> tuple[str, str, int]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _malformed("Malformed request line")
    if match[3] != b"1":
        raise BadHead(HTTPStatus(505), "Not HTTP/1")
    method, target = match[1].decode("ascii"), match[2].decode("ascii")
    if method == "CONNECT":
        raise BadHead(HTTPStatus.NOT_IMPLEMENTED, "Not a proxy")
    if "#" in target:
        raise _malformed("A fragment in the request target")
    return method, target, int(match[4])


def _parse_fields(block: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    if len(block.translate(None, _CONTROLS)) != len(block) or not (
        block.count(b"\r") == block.count(b"\n") == block.count(b"\r\n")
    ):
        raise _malformed("A control character in a header field")
    for line in block.decode("latin-1").split("\r\n") if block else ():
        raw_name, colon, value = line.partition(":")
        name = _environ_name(raw_name)
        if not colon or name is None:
            raise _malformed("Malformed header field")
        if not name:
            continue
        value = value.strip(" \t")
        if name in fields:
            if name in _ONCE:
                raise _malformed("A header field came twice that must come once")
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


@lru_cache(maxsize=1024)
def _environ_name(name: str) -> str | None:
    """Name a field as WSGI does; None when it is no token, empty when it must not be seen.

    `Content_Length` would pass for Content-Length there.
    """
    if not _TOKEN.fullmatch(name):
        return None
    if "_" in name:
        return ""
    text = name.upper().replace("-", "_")
    return text if text in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{text}"


def _from_absolute(target: str, fields: dict[str, str]) -> str:
    """Turn the absolute form into the origin form; its host and port take the place of Host (RFC 9112 §3.2.2)."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise _malformed("Malformed request target")
    if "HTTP_HOST" in fields:
        fields["HTTP_HOST"] = match[1]
    return match[2] if match[2].startswith("/") else f"/{match[2]}"


def _check_framing(fields: dict[str, str], *, new: bool) -> None:
    coding = fields.get("HTTP_TRANSFER_ENCODING")
    if not _HOST.fullmatch(fields.get("HTTP_HOST", "" if not new else "/")):
        raise _malformed("No Host, or a malformed one")
    if coding is not None and (not new or "CONTENT_LENGTH" in fields):
        raise _malformed("Transfer-Encoding beside Content-Length or in HTTP/1.0")
    if coding is not None and coding.lower() != "chunked":
        raise BadHead(HTTPStatus.NOT_IMPLEMENTED, "Unknown transfer coding")
    if not _LENGTH.fullmatch(fields.get("CONTENT_LENGTH", "0")):
        raise _malformed("Malformed Content-Length")
