"""`D:where` of RFC 5323 §5 as a value: the grammar of filters.

Literals are read by the type of the property that they are compared with. `D:contains` and the operators on languages
are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from lxml import etree

from davstore.errors import UnsupportedFilter
from davstore.model.states import Flag
from davstore.model.where import (
    And,
    Compare,
    Comparison,
    Fact,
    Form,
    IsCollection,
    IsDefined,
    Like,
    Not,
    Or,
    Source,
    Where,
)
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element as render_element
from davstore.protocol.dav.elements import empty, escape, marked
from davstore.protocol.dav.names import CPM, DAV, KEYWORD, clark
from davstore.protocol.http.dates import parse_http_date
from davstore.protocol.http.timestamps import parse_timestamp, render_timestamp

MOST_LEVELS: Final = 16
MOST_CONDITIONS: Final = 256
MOST_LITERAL_CHARACTERS: Final = 4_096
MOST_PATTERN_CHARACTERS: Final = 256
"""The time of a match grows with them: a piece of a pattern may be tried at each place of a text."""

_MESSAGE_TEXTS: Final = {
    "from": "from_",
    "filename": "filename",
    "mime-type": "mime_type",
    "text-preview": "preview",
    **{
        local: local.replace("-", "_")
        for local in (
            "to",
            "cc",
            "bcc",
            "subject",
            "message-id",
            "in-reply-to",
            "references",
            "conversation-id",
            "contribution-id",
            "in-reply-to-contribution-id",
            "imdn-message-id",
            "message-context",
            "direction",
            "message-correlator",
            "p-asserted-service",
        )
    },
}
FACTS: Final[dict[str, Fact]] = {
    names.GETETAG: Fact(Source.RESOURCE, "etag"),
    names.GETCONTENTTYPE: Fact(Source.RESOURCE, "content_type"),
    names.GETCONTENTLENGTH: Fact(Source.RESOURCE, "length", Form.NUMBER),
    names.GETLASTMODIFIED: Fact(Source.RESOURCE, "modified_us", Form.TIME),
    names.CREATIONDATE: Fact(Source.RESOURCE, "created_us", Form.TIME),
    clark(CPM, "modseq"): Fact(Source.RESOURCE, "modseq", Form.NUMBER),
    clark(CPM, "kind"): Fact(Source.KIND, "kind"),
    clark(CPM, "date"): Fact(Source.MESSAGE, "date_us", Form.TIME),
    clark(CPM, "size"): Fact(Source.MESSAGE, "size", Form.NUMBER),
    **{clark(CPM, local): Fact(Source.MESSAGE, field) for local, field in _MESSAGE_TEXTS.items()},
    **{clark(CPM, (flag.name or "").lower().replace("_", "-")): Fact(Source.FLAG, str(int(flag))) for flag in Flag},
}
"""The properties that a condition may be about. Keywords are others."""


def parse(element: etree._Element) -> Where:
    """Return the condition that a `D:where` holds.

    Raises:
        UnsupportedFilter: not exactly one condition; an operator or a property that is not known here; a literal that
            its property cannot have; more than 16 levels or 256 conditions.
    """
    children = list(element)
    if len(children) != 1:
        raise UnsupportedFilter("a where without exactly one condition")
    if sum(1 for _ in element.iter()) > 4 * MOST_CONDITIONS:
        raise UnsupportedFilter(f"more than {MOST_CONDITIONS} conditions")
    return _condition(children[0], MOST_LEVELS)


def _condition(element: etree._Element, levels: int) -> Where:
    read = _CONDITIONS.get(str(element.tag))
    if read is None:
        raise UnsupportedFilter(f"the operator {element.tag}")
    if not levels:
        raise UnsupportedFilter(f"more than {MOST_LEVELS} levels of conditions")
    return read(element, levels - 1)


def _several(element: etree._Element, levels: int) -> tuple[Where, ...]:
    if not len(element):
        raise UnsupportedFilter(f"{element.tag} without a condition")
    return tuple([_condition(child, levels) for child in element])


def _not(element: etree._Element, levels: int) -> Where:
    if len(element) != 1:
        raise UnsupportedFilter("a not without exactly one condition")
    return Not(_condition(element[0], levels))


def _compare(comparison: Comparison, element: etree._Element, _levels: int) -> Where:
    fact, literal = _fact(element[0] if len(element) else None), _literal(element)
    return Compare(comparison, fact, _READ[fact.form](literal), _is_caseless(element, fact))


def _like(element: etree._Element, _levels: int) -> Where:
    fact, literal = _fact(element[0] if len(element) else None), _literal(element)
    if fact.form is not Form.TEXT:
        raise UnsupportedFilter("like of a property that is no text")
    if len(literal) > MOST_PATTERN_CHARACTERS:
        raise UnsupportedFilter(f"a pattern of more than {MOST_PATTERN_CHARACTERS} characters")
    if literal.replace("\\\\", "").endswith("\\"):
        raise UnsupportedFilter("a pattern that ends in a backslash")
    return Like(fact, literal, _is_caseless(element, fact))


def _is_defined(element: etree._Element, _levels: int) -> Where:
    if len(element) != 1:
        raise UnsupportedFilter("an is-defined without exactly one prop")
    return IsDefined(_fact(element[0]))


def _is_collection(element: etree._Element, _levels: int) -> Where:
    if len(element):
        raise UnsupportedFilter("an is-collection that is not empty")
    return IsCollection()


def _fact(element: etree._Element | None) -> Fact:
    """Return the fact of the one property that a `D:prop` names."""
    if element is None or element.tag != names.PROP or len(element) != 1:
        raise UnsupportedFilter("a condition without exactly one property")
    name = str(element[0].tag)
    if names.is_keyword(name):
        return Fact(Source.KEYWORD, names.split(name)[1])
    fact = FACTS.get(name)
    if fact is None:
        raise UnsupportedFilter(f"the property {name}")
    return fact


def _literal(element: etree._Element) -> str:
    if len(element) != 2 or element[1].tag not in _LITERALS or len(element[1]):
        raise UnsupportedFilter(f"{element.tag} without exactly a prop and a literal")
    text = element[1].text or ""
    if len(text) > MOST_LITERAL_CHARACTERS:
        raise UnsupportedFilter(f"a literal of more than {MOST_LITERAL_CHARACTERS} characters")
    return text


def _is_caseless(element: etree._Element, fact: Fact) -> bool:
    """Tell whether case is ignored (§5.18): it is not, unless the request says so."""
    word = element.get("caseless", "no")
    if word not in ("yes", "no"):
        raise UnsupportedFilter("caseless is yes or no")
    return word == "yes" and fact.form is Form.TEXT


def _number(text: str) -> int:
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise UnsupportedFilter(f"{text[:40]!r} is no whole number")
    return int(text)


def _time(text: str) -> int:
    text = text.strip()
    seconds = parse_http_date(text)
    time_us = parse_timestamp(text) if seconds is None else seconds * 1_000_000
    if time_us is None:
        raise UnsupportedFilter(f"{text[:40]!r} is no date with time and zone")
    return time_us


_READ: Final[dict[Form, Callable[[str], str | int]]] = {Form.TEXT: str, Form.NUMBER: _number, Form.TIME: _time}
_LITERALS: Final = ("{DAV:}literal", "{DAV:}typed-literal")
_CONDITIONS: Final[dict[str, Callable[[etree._Element, int], Where]]] = {
    clark(DAV, "and"): lambda element, levels: And(_several(element, levels)),
    clark(DAV, "or"): lambda element, levels: Or(_several(element, levels)),
    clark(DAV, "not"): _not,
    clark(DAV, "like"): _like,
    clark(DAV, "is-defined"): _is_defined,
    clark(DAV, "is-collection"): _is_collection,
    **{clark(DAV, one.value): partial(_compare, one) for one in Comparison},
}


def render(where: Where, marks: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return the `D:where` of a condition that `parse` returned, with attributes."""
    return marked(names.WHERE, marks, _render(where))


def _render(where: Where) -> bytes:
    match where:
        case And(several):
            return render_element(clark(DAV, "and"), *map(_render, several))
        case Or(several):
            return render_element(clark(DAV, "or"), *map(_render, several))
        case Not(one):
            return render_element(clark(DAV, "not"), _render(one))
        case IsCollection():
            return empty(clark(DAV, "is-collection"))
        case IsDefined(fact):
            return render_element(clark(DAV, "is-defined"), _render_fact(fact))
        case Like(fact, pattern, caseless):
            return _render_comparison("like", fact, pattern, caseless)
        case Compare(comparison, fact, literal, caseless):
            return _render_comparison(comparison.value, fact, literal, caseless)


def _render_comparison(operator: str, fact: Fact, literal: str | int, is_caseless: bool) -> bytes:
    text = render_timestamp(int(literal)) if fact.form is Form.TIME else str(literal)
    marks = {"caseless": "yes"} if is_caseless else {}
    return marked(clark(DAV, operator), marks, _render_fact(fact), render_element(clark(DAV, "literal"), escape(text)))


def _render_fact(fact: Fact) -> bytes:
    name = clark(KEYWORD, fact.name) if fact.source is Source.KEYWORD else _PROPERTIES[fact]
    return render_element(names.PROP, empty(name))


_PROPERTIES: Final = {fact: name for name, fact in FACTS.items()}
