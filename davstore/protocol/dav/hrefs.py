"""The only percent-coder: request targets, Destination and resource tags in, hrefs out (RFC 3986, RFC 4918 §8.3).

A name is the decoded segment, byte for byte: the literal name `a%2Fb` travels as `a%252Fb`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from davstore.errors import ForeignDestination, Malformed, TargetTooLong

MAX_TARGET_CHARACTERS: Final = 16 * 1024
MAX_SEGMENTS: Final = 1000
"""The most segments of a path: no folder of a device lies as deep, and each segment costs a look-up."""

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~/-]+")
"""Paths that decode to themselves, but for dot segments."""
_ALLOWED: Final = "!$&'()*+,;=:@"
"""Characters of a segment beside unreserved ones and escapes (RFC 3986 §3.3)."""
_LEGAL: Final = re.compile(rf"[A-Za-z0-9._~%/{_ALLOWED}-]*")
_TARGET: Final = re.compile(r"[\x21\x22\x24-\x7e\x80-\xff]+")
"""No controls, no space, no fragment. Latin-1 stands for raw octets, as WSGI has it."""
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::([0-9]*))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class Target(NamedTuple):
    """A place on this server: decoded segments, whether the path ended in a slash, the query, the segments as sent."""

    segments: tuple[str, ...]
    slash: bool
    query: str
    spelled: tuple[str, ...] = ()


ROOT: Final = Target((), slash=True, query="")


class Mount(NamedTuple):
    """A place that a request may name by a second URL: the segments of that one, outer, in the place of inner."""

    outer: tuple[str, ...]
    inner: tuple[str, ...]
    is_collection: bool = True


Mounts = tuple[Mount, ...]


def enter(segments: tuple[str, ...], mounts: Mounts) -> tuple[str, ...]:
    """Return the path that a place has without mounts."""
    for outer, inner, _ in mounts:
        if segments[: len(outer)] == outer:
            return (*inner, *segments[len(outer) :])
    return segments


def _leave(segments: tuple[str, ...], mounts: Mounts) -> tuple[str, ...]:
    """Return the path that a place has by the mount that it lies beneath, if there is one."""
    for outer, inner, _ in mounts:
        if segments[: len(inner)] == inner:
            return (*outer, *segments[len(inner) :])
    return segments


class Spelling:
    """Writes hrefs whose segments in common with the request-URI are spelled as there (RFC 4918 §8.3).

    Clients compare hrefs with their request-URI as text. So the segments of the request-URI stay as they were sent,
    and only characters that no URI may hold are escaped; segments behind them have our own spelling. Empty segments are
    left out: a path that begins with two slashes would name another host (RFC 3986 §4.2).

    Places beneath a mount have their hrefs by it.
    """

    __slots__ = ("_mounts", "_path", "_prefix", "_segments", "_spelled")

    def __init__(self, target: Target = ROOT, prefix: Target = ROOT, mounts: Mounts = ()) -> None:
        """Take the target of the request, the prefix of the client's URLs, and the mounts of the request."""
        self._mounts = mounts
        self._segments = target.segments
        self._spelled = target.spelled
        self._prefix = _join_raw(prefix.spelled) if prefix.spelled else ""
        self._path = self._prefix + _join_raw(target.spelled)

    @property
    def depth(self) -> int:
        """The segments of a place from which on the hrefs of its members begin with its own: those of the request."""
        if not self._mounts:
            return len(self._segments)
        return max(len(enter(self._segments, self._mounts)), *(len(one.inner) for one in self._mounts))

    def href(self, segments: tuple[str, ...], *, slash: bool) -> str:
        """Return the absolute path of a place; a collection's ends in a slash (RFC 4918 §5.2)."""
        if self._mounts:
            segments = _leave(segments, self._mounts)
        same, path = len(self._segments), self._path
        if segments[:same] != self._segments:
            pairs = enumerate(zip(segments, self._segments, strict=False))
            same = next((i for i, (name, own) in pairs if name != own), min(len(segments), same))
            path = self._prefix + _join_raw(self._spelled[:same])
        path += "".join([f"/{encode_segment(name)}" for name in segments[same:]])
        return f"{path}/" if slash or not path else path


def parse_target(raw: str) -> Target:
    """Parse a raw request target (RFC 9112 §3.2: origin-form or absolute-form).

    The authority of an absolute-form is ignored. `*` is not a target of a resource: the caller handles it.

    Raises:
        TargetTooLong: longer than 16 KiB, or more than 1,000 segments (RFC 9110 §15.5.15).
        Malformed: not UTF-8, a broken escape, a dot segment, a control character or a slash in a segment, a fragment.
    """
    if _is_too_long(raw):
        raise TargetTooLong
    _check(raw)
    match = None if raw.startswith("/") else _ABSOLUTE.fullmatch(raw)
    if match is None:
        return _origin_form(raw)
    if match[1].lower() not in _DEFAULT_PORTS or _AUTHORITY.fullmatch(_without_userinfo(match[2])) is None:
        raise Malformed("the target is not an http URI")
    return _origin_form(_path_of(match))


def parse_destination(value: str, *, host: str | None, prefix: tuple[str, ...] = ()) -> Target:
    """Return the place that a Destination header or a resource tag names (RFC 4918 §8.3, §10.3).

    host is the Host header of the request, prefix the segments that the client's URLs have before ours, which a proxy
    takes off the target. Schemes are not compared: TLS may end before us. Nor is userinfo, which file managers send
    (`http://alice:secret@HOST/…`): it says how to sign in, not where.

    Raises:
        ForeignDestination: an absolute URI with another authority, or a path without the prefix.
        Malformed: a relative path, a fragment, or a target that `parse_target` refuses, if only for its length.
    """
    value = value.strip(" \t")
    if _is_too_long(value):
        raise Malformed("the target is too long")
    _check(value)
    match = _ABSOLUTE.fullmatch(value)
    if match is None:
        return _without(prefix, _origin_form(value))
    scheme = match[1].lower()
    if scheme not in _DEFAULT_PORTS:
        raise ForeignDestination(f"the scheme {scheme}")
    if host is None or _authority(_without_userinfo(match[2]), scheme) != _authority(host, scheme):
        raise ForeignDestination("another authority")
    return _without(prefix, _origin_form(_path_of(match)))


def parse_relative(value: str) -> tuple[str, ...]:
    """Return the names that a relative reference leads down by (RFC 3986 §4.2).

    Raises:
        Malformed: it is none, or has a query, a fragment, an empty or a dot segment, or one that no target may have.
    """
    segments = value.strip(" \t").split("/")
    if _SCHEME.match(segments[0]) or any(mark in value for mark in "?#") or not all(segments):
        raise Malformed("no relative path")
    return tuple([_decode(segment) for segment in segments])


def decode_href(href: str) -> list[bytes]:
    """Return the segments of an href of another server's, as octets: they may hold what our own targets must not."""
    path = href if href.startswith("/") else urlsplit(href).path
    return [unquote_to_bytes(segment) for segment in path.strip("/").split("/") if path.strip("/")]


def encode_segment(name: str) -> str:
    """Return name as one path segment: characters that RFC 3986 §3.3 allows there stay, all others are escaped."""
    return name if _UNRESERVED.fullmatch(name) else quote(name, safe=_ALLOWED)


def encode_segment_for_xml(name: str) -> str:
    """Return name as one path segment of an href in XML."""
    return name if _UNRESERVED.fullmatch(name) else quote(name, safe=_ALLOWED).replace("&", "&amp;")


def encode_segments_for_xml(names: list[str]) -> list[str]:
    """Return many names as by `encode_segment_for_xml`; most need no escape, which one look at all of them shows."""
    if _UNRESERVED.fullmatch("".join(names)):
        return names
    return [encode_segment_for_xml(name) for name in names]


def for_xml(href: str) -> bytes:
    """Return a path that was rendered here as the content of `D:href`: of what a path holds only `&` is special."""
    return href.replace("&", "&amp;").encode("ascii")


def render_href(segments: Iterable[str], slash: bool) -> str:
    """Return the absolute path of a place; a collection's ends in a slash (RFC 4918 §5.2)."""
    path = "".join([f"/{encode_segment(name)}" for name in segments])
    return f"{path}/" if slash or not path else path


def _is_too_long(raw: str) -> bool:
    if len(raw) <= MAX_SEGMENTS:
        return False
    return len(raw) > MAX_TARGET_CHARACTERS or raw.partition("?")[0].rstrip("/").count("/") > MAX_SEGMENTS


def _check(raw: str) -> None:
    if _TARGET.fullmatch(raw) is None:
        raise Malformed("the target holds characters that no URI has")


def _origin_form(raw: str) -> Target:
    """Parse a path; several slashes count as one: clients join paths that end and begin in one."""
    path, _, query = raw.partition("?")
    if not path.startswith("/"):
        raise Malformed("the path is not absolute")
    spelled = tuple([segment for segment in path.split("/") if segment])
    if _PLAIN.fullmatch(path) and "/." not in path:  # as most are: no segment has to be decoded
        return Target(spelled, path.endswith("/"), query, spelled)
    return Target(tuple([_decode(segment) for segment in spelled]), path.endswith("/"), query, spelled)


def _without(prefix: tuple[str, ...], target: Target) -> Target:
    if target.segments[: len(prefix)] != prefix:
        raise ForeignDestination("outside the proxy's prefix")
    if not prefix:
        return target
    return target._replace(segments=target.segments[len(prefix) :], spelled=target.spelled[len(prefix) :])


def _path_of(absolute: re.Match[str]) -> str:
    """Return path and query of an absolute URI: an empty path is the root's (RFC 9110 §4.2.3)."""
    path: str = absolute[3]
    return path if path.startswith("/") else f"/{path}"


def _decode(segment: str) -> str:
    """Return the name that a raw segment stands for."""
    name = segment
    if not _UNRESERVED.fullmatch(segment):
        if _BROKEN_ESCAPE.search(segment):
            raise Malformed("a broken percent escape")
        try:
            name = unquote_to_bytes(segment.encode("latin-1")).decode()
        except UnicodeDecodeError as cause:
            raise Malformed("a segment is not UTF-8") from cause
        if "/" in name or _CONTROL.search(name):
            raise Malformed("a slash or a control character in a segment")
    if name in (".", ".."):
        raise Malformed("a dot segment")
    return name


def _join_raw(segments: tuple[str, ...]) -> str:
    """Return raw segments as the path they were sent in, with characters that no URI may hold escaped."""
    path = "".join([f"/{segment}" for segment in segments])
    return path if _LEGAL.fullmatch(path) else quote(path.encode("latin-1"), safe=f"/%{_ALLOWED}")


def _without_userinfo(authority: str) -> str:
    """Return host and port of an authority (RFC 3986 §3.2): a name or a secret with a bare `@` ends at the last one."""
    return authority.rpartition("@")[2]


def _authority(text: str, scheme: str) -> tuple[str, str]:
    """Return host and port for comparison."""
    match = _AUTHORITY.fullmatch(text.strip(" \t"))
    if match is None:
        raise Malformed("not an authority")
    return match[1].lower(), match[2] or _DEFAULT_PORTS[scheme]
