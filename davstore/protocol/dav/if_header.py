"""The `If` header (RFC 4918 §10.4). Whether its conditions hold is not judged here."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from davstore.errors import Malformed
from davstore.model.conditions import IfCondition

MAX_CHARACTERS: Final = 8 * 1024

_TOKEN: Final = re.compile(
    r"[ \t]*(?:"
    r"(?P<open>\()"
    r"|(?P<close>\))"
    r"|<(?P<uri>[^<>\s]+)>"
    r'|\[[ \t]*(?P<weak>W/)?"(?P<etag>[\x20\x21\x23-\x7e\x80-\xff]*)"[ \t]*\]'
    r"|(?P<negation>[Nn][Oo][Tt])(?=[ \t<\[])"
    r")"
)
"""An entity tag may hold spaces, as those of the RFC's examples do (RFC 2616 §3.11)."""
_ABSOLUTE_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")


class TaggedList(NamedTuple):
    """One list and the resource tag it is for, as text; None for the Request-URI."""

    tag: str | None
    conditions: tuple[IfCondition, ...]


def parse(value: str) -> tuple[TaggedList, ...]:
    """Return the lists in order: one of them must hold, and of a list every condition.

    Raises:
        Malformed: not the grammar of RFC 4918 §10.4.2, tagged and untagged lists mixed, or longer than 8 KiB.
    """
    if len(value) > MAX_CHARACTERS:
        raise Malformed("the If header is longer than 8 KiB")
    text = value.rstrip(" \t")
    lists: list[TaggedList] = []
    tag: str | None = None
    tag_has_list = True
    position = 0
    while position < len(text):
        match, position = _next_token(text, position)
        if match["open"]:
            conditions, position = _conditions(text, position)
            lists.append(TaggedList(tag, conditions))
            tag_has_list = True
        elif match["uri"] and tag_has_list and (tag is not None or not lists):
            tag, tag_has_list = match["uri"], False
        else:
            raise Malformed("If: lists and resource tags out of order")
    if not lists or not tag_has_list:
        raise Malformed("If: a list is missing")
    return tuple(lists)


def _next_token(text: str, position: int) -> tuple[re.Match[str], int]:
    match = _TOKEN.match(text, position)
    if match is None:
        raise Malformed("If: not a list, a tag, a token or an etag")
    return match, match.end()


def _conditions(text: str, position: int) -> tuple[tuple[IfCondition, ...], int]:
    """Read a list from behind its opening parenthesis; return its conditions and the position behind it."""
    conditions: list[IfCondition] = []
    negated = False
    while True:
        match, position = _next_token(text, position)
        if match["negation"] and not negated:
            negated = True
        elif match["uri"] and _ABSOLUTE_URI.fullmatch(match["uri"]):
            conditions.append(IfCondition(negated, match["uri"], None))
            negated = False
        elif match["etag"] is not None:
            conditions.append(IfCondition(negated, None, None if match["weak"] else match["etag"]))
            negated = False
        elif match["close"] and conditions and not negated:
            return tuple(conditions), position
        else:
            raise Malformed("If: a list is empty or broken")
