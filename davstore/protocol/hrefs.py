"""The one percent-coder: request targets, Destination and resource tags in, hrefs out (RFC 3986, RFC 4918 §8.3).

A name is whatever one segment decodes to, byte for byte: the literal name `a%2Fb` travels as `a%252Fb`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from davstore.errors import ForeignDestination, Malformed, TargetTooLong

MAX_TARGET_CHARACTERS: Final = 16 * 1024
MAX_SEGMENTS: Final = 1000
"""Of a path: no folder that a device may have lies as deep, and each costs a look at every level."""

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")
_TARGET: Final = re.compile(r"[\x21\x22\x24-\x7e\x80-\xff]+")
"""No controls, no space, no fragment. Latin-1 stands for raw octets, as WSGI has it."""
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::([0-9]*))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class Target(NamedTuple):
    """A place on this server: decoded segments, whether the path ended in a slash, and the query as sent."""

    segments: tuple[str, ...]
    slash: bool
    query: str


def parse_target(raw: str) -> Target:
    """Return what the raw request target names (RFC 9112 §3.2: origin-form or absolute-form).

    The authority of an absolute-form is not looked at. `*` is not a target of a resource: the caller sees to it.

    Raises:
        TargetTooLong: longer than 16 KiB, or more than 1,000 segments (RFC 9110 §15.5.15).
        Malformed: not UTF-8, a broken escape, an empty or dot segment, a control character or a slash in a segment, a
            fragment.
    """
    if _is_too_long(raw):
        raise TargetTooLong
    _check(raw)
    match = _ABSOLUTE.fullmatch(raw)
    if match is None:
        return _origin_form(raw)
    if match[1].lower() not in _DEFAULT_PORTS or _AUTHORITY.fullmatch(match[2]) is None:
        raise Malformed("the target is not an http URI")
    return _origin_form(_path_of(match))


def parse_destination(value: str, *, host: str | None, prefix: tuple[str, ...] = ()) -> Target:
    """Return the place that a Destination header or a resource tag names (RFC 4918 §8.3, §10.3).

    host is the Host header of the request, prefix the segments that the client's URLs have before ours, which a proxy
    takes off the target. Schemes are not compared: TLS may end before us.

    Raises:
        ForeignDestination: an absolute URI with another authority, or a path without the prefix.
        Malformed: a relative path, a fragment, or what `parse_target` refuses, if only for its length.
    """
    value = value.strip(" \t")
    _check(value)
    match = _ABSOLUTE.fullmatch(value)
    if match is None:
        return _without(prefix, _origin_form(value))
    scheme = match[1].lower()
    if scheme not in _DEFAULT_PORTS:
        raise ForeignDestination(f"the scheme {scheme}")
    if host is None or _authority(match[2], scheme) != _authority(host, scheme):
        raise ForeignDestination("another authority")
    return _without(prefix, _origin_form(_path_of(match)))


def encode_segment(name: str) -> str:
    """Return name as one path segment.

    Everything but unreserved characters is escaped: only those are the same escaped or not (RFC 3986 §6.2.2.2), so a
    client that compares hrefs as text, as neon does, finds what it would have written itself; and the result needs
    no escaping in XML or HTML.
    """
    return name if _UNRESERVED.fullmatch(name) else quote(name, safe="")


def render_href(segments: Iterable[str], slash: bool) -> str:
    """Return the absolute path of a place; a collection's ends in a slash (RFC 4918 §5.2)."""
    path = "".join([f"/{encode_segment(name)}" for name in segments])
    return f"{path}/" if slash or not path else path


def _is_too_long(raw: str) -> bool:
    return len(raw) > MAX_TARGET_CHARACTERS or raw.partition("?")[0].rstrip("/").count("/") > MAX_SEGMENTS


def _check(raw: str) -> None:
    if _is_too_long(raw) or _TARGET.fullmatch(raw) is None:
        raise Malformed("the target is too long or holds characters that no URI has")


def _origin_form(raw: str) -> Target:
    path, _, query = raw.partition("?")
    if not path.startswith("/"):
        raise Malformed("the path is not absolute")
    if path == "/":
        return Target((), slash=True, query=query)
    slash = path.endswith("/")
    return Target(tuple([_decode(segment) for segment in path[1 : -1 if slash else None].split("/")]), slash, query)


def _without(prefix: tuple[str, ...], target: Target) -> Target:
    if target.segments[: len(prefix)] != prefix:
        raise ForeignDestination("beside the prefix")
    return target._replace(segments=target.segments[len(prefix) :]) if prefix else target


def _path_of(absolute: re.Match[str]) -> str:
    """Return path and query of an absolute URI: an empty path is the root's (RFC 9110 §4.2.3)."""
    path: str = absolute[3]
    return path if path.startswith("/") else f"/{path}"


def _decode(segment: str) -> str:
    """Return the name that a raw segment stands for."""
    if _UNRESERVED.fullmatch(segment):
        name = segment
    else:
        if _BROKEN_ESCAPE.search(segment):
            raise Malformed("a broken percent escape")
        try:
            name = unquote_to_bytes(segment.encode("latin-1")).decode()
        except UnicodeDecodeError as cause:
            raise Malformed("a segment is not UTF-8") from cause
    if name in ("", ".", "..") or "/" in name or _CONTROL.search(name):
        raise Malformed("an empty or dot segment, a slash or a control character in a segment")
    return name


def _authority(text: str, scheme: str) -> tuple[str, str]:
    """Return host and port for comparison."""
    match = _AUTHORITY.fullmatch(text.strip(" \t"))
    if match is None:
        raise Malformed("not an authority")
    return match[1].lower(), match[2] or _DEFAULT_PORTS[scheme]
