"""A condition on resources: the `where` of RFC 5323 §5 as a value, parsed once.

Literals have the type of the fact that they are compared with: text, a number, or microseconds since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


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


def hash_of(where: Where) -> str:
    """Return 16 hexadecimal digits that stand for a condition in sync tokens."""
    return hashlib.blake2b(repr(where).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
