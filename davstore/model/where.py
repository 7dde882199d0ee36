"""A condition on resources: the `where` of RFC 5323 §5 as a value, parsed once.

Literals have the type of the fact that they are compared with: text, a number, or microseconds since the epoch.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple


class Form(Enum):
    """The types of facts, by which literals are read and values compared."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


class Source(Enum):
    """The place of a fact: the row of a resource, its kind, its flags or keywords, or the message in its body."""

    RESOURCE = "resource"
    KIND = "kind"
    FLAG = "flag"
    KEYWORD = "keyword"
    MESSAGE = "message"


class Fact(NamedTuple):
    """A fact of a resource: a field of `Resource` or `MessageFacts`, the bit of a flag, or the name of a keyword."""

    source: Source
    name: str
    form: Form = Form.TEXT


class Comparison(Enum):
    """The comparisons (RFC 5323 §5.6)."""

    EQ = "eq"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


OPERATORS: Final[dict[Comparison, Callable[[Any, Any], Any]]] = {
    Comparison.EQ: operator.eq,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
}
"""What each comparison does with a value and a literal."""


@dataclass(frozen=True, slots=True)
class Compare:
    """The fact compares so with the literal; unknown where there is no fact."""

    comparison: Comparison
    fact: Fact
    literal: str | int
    caseless: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """The text matches a pattern, of `%` for any characters, `_` for one, and a backslash before these (§5.14)."""

    fact: Fact
    pattern: str
    caseless: bool = False


@dataclass(frozen=True, slots=True)
class IsDefined:
    """There is such a fact (§5.13)."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class IsCollection:
    """It is a collection (§5.12)."""


@dataclass(frozen=True, slots=True)
class Not:
    """The condition is false."""

    one: Where


@dataclass(frozen=True, slots=True)
class And:
    """All of the conditions are true."""

    all: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some of the conditions is true."""

    any: tuple[Where, ...]


Where = Compare | Like | IsDefined | IsCollection | Not | And | Or


def facts_of(where: Where) -> Iterator[Fact]:
    """Yield the facts that a condition is about."""
    match where:
        case Not(one):
            yield from facts_of(one)
        case And(several) | Or(several):
            for one in several:
                yield from facts_of(one)
        case Compare() | Like() | IsDefined():
            yield where.fact


def to_json(where: Where) -> str:
    """Return the one text of a condition that `parse_json` reads."""
    return json.dumps(_packed(where), separators=(",", ":"))


def parse_json(text: str) -> Where:
    """Return the condition of a text that `to_json` wrote."""
    return _unpacked(json.loads(text))


def _packed(where: Where) -> list[Any]:
    match where:
        case Compare(comparison, fact, literal, caseless):
            return [comparison.value, *_packed_fact(fact), literal, caseless]
        case Like(fact, pattern, caseless):
            return ["like", *_packed_fact(fact), pattern, caseless]
        case IsDefined(fact):
            return ["is-defined", *_packed_fact(fact)]
        case IsCollection():
            return ["is-collection"]
        case Not(one):
            return ["not", _packed(one)]
        case And(several):
            return ["and", *map(_packed, several)]
        case Or(several):
            return ["or", *map(_packed, several)]


def _packed_fact(fact: Fact) -> list[str]:
    return [fact.source.value, fact.name, fact.form.value]


def _unpacked(packed: list[Any]) -> Where:
    match packed:
        case ["not", one]:
            return Not(_unpacked(one))
        case ["and", *several]:
            return And(tuple(map(_unpacked, several)))
        case ["or", *several]:
            return Or(tuple(map(_unpacked, several)))
        case ["is-collection"]:
            return IsCollection()
    operator, source, name, form, *literal = packed
    fact = Fact(Source(source), name, Form(form))
    if operator == "is-defined":
        return IsDefined(fact)
    return Like(fact, *literal) if operator == "like" else Compare(Comparison(operator), fact, *literal)
