"""The client's address, host, scheme and URL prefix, as a trusted proxy reports them.

`X-Forwarded-For`, `-Host`, `-Port`, `-Proto` and `-Prefix`, or `Forwarded` (RFC 7239), which has no prefix. They are
believed from trusted addresses only, and of a list only the elements that trusted proxies added: any client can have
written the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from davstore.errors import Malformed
from davstore.model.networks import Networks, find_address
from davstore.protocol.dav.hrefs import ROOT, Target, parse_target

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

PREFIX: Final = "davstore.prefix"
"""The key of the `Target` that the client's URLs have before ours; a proxy has taken it off."""

_OWN: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO")
_PAIR: Final = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))\s*(?:([;,])|\Z)""", re.ASCII)
_NODE: Final = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*)(?::\d+)?|(.*)", re.ASCII)
_PORT: Final = re.compile(r"(?:[^:\[\]]+|\[[^\]]*\])")


class _Hop(NamedTuple):
    """The facts of a request as one proxy got it; empty where it gives none."""

    client: str
    host: str
    proto: str


def believe(environ: WSGIEnvironment, proxies: Networks) -> None:
    """Put the client's address, host and scheme in the place of those of the connection, and set `PREFIX`.

    Raises:
        Malformed: a header of a trusted proxy cannot be read.
    """
    environ[PREFIX] = ROOT
    if not proxies.networks:
        return
    address = find_address(environ.get("REMOTE_ADDR", ""))
    if not proxies.holds(address):
        return
    for hop in _hops(environ):
        if not proxies.holds(address):
            break
        environ["HTTP_HOST"] = hop.host or environ.get("HTTP_HOST", "")
        if hop.proto in ("http", "https"):
            environ["wsgi.url_scheme"] = hop.proto
        node = _NODE.fullmatch(hop.client)
        address = find_address(node[1] or node[2] or node[3] or "") if node else None
        if address is not None:  # else the nearest known proxy stands for the client it hides (RFC 7239 §6)
            environ["REMOTE_ADDR"] = str(address)
    port = environ.get("HTTP_X_FORWARDED_PORT", "")
    if port and _PORT.fullmatch(environ.get("HTTP_HOST", "")):
        environ["HTTP_HOST"] += f":{port}"
    environ[PREFIX] = _parse_prefix(environ.get("HTTP_X_FORWARDED_PREFIX", ""))


def _parse_prefix(text: str) -> Target:
    target = parse_target(text.strip(" \t") or "/")
    if target.query:
        raise Malformed("a prefix with a query")
    return target


def _hops(environ: WSGIEnvironment) -> Iterator[_Hop]:
    """Yield the hops, the nearest first. Proxies that send X-Forwarded headers do not also send Forwarded."""
    if any(name in environ for name in _OWN):
        lists = [[word.strip(" \t") for word in environ.get(name, "").split(",")][::-1] for name in _OWN]
        return (_Hop(*words) for words in zip_longest(*lists, fillvalue=""))
    return iter(_parse_forwarded(environ.get("HTTP_FORWARDED", ""))[::-1])


def _parse_forwarded(text: str) -> list[_Hop]:
    """Return the elements of `Forwarded` in order (RFC 7239 §4). Raises Malformed."""
    hops: list[_Hop] = []
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise Malformed("Forwarded")
        position = match.end()
        quoted = match[2]
        pairs[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if match[4] != ";":
            hops.append(_Hop(pairs.get("for", ""), pairs.get("host", ""), pairs.get("proto", "").lower()))
            pairs = {}
    return hops
