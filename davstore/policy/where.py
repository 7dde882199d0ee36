"""The judge of conditions (RFC 5323 §5.5): three-valued, a pure function of facts.

A comparison with a fact that is not there is unknown, and so is its negation: what is unknown in the end is not
selected. `is-defined` is never unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from davstore.model.where import (
    OPERATORS,
    And,
    Compare,
    Fact,
    IsCollection,
    IsDefined,
    Like,
    Not,
    Or,
    Source,
    Where,
)


class Judged(NamedTuple):
    """The facts of one resource: its row, the word for its kind, its message by field, and its keywords."""

    resource: Any
    kind: str
    message: Mapping[str, Any] = {}
    keywords: Collection[str] = ()


CONVERSATION: Final = Fact(Source.MESSAGE, "conversation_id")
_OF_THREADS: Final = (Fact(Source.KIND, "kind"), CONVERSATION)
"""The facts that a thread has beside its messages."""

Judge = Callable[[Judged], bool | None]
"""Returns None for unknown."""

_SET: Final = "T"


@lru_cache(maxsize=256)
def judge_of(where: Where) -> Judge:
    """Return the function that judges resources by a condition."""
    match where:
        case IsCollection():
            return lambda judged: bool(judged.resource.is_collection)
        case IsDefined(fact):
            value_of = _value_of(fact)
            return lambda judged: value_of(judged) is not None
        case Not(one):
            return _negation(judge_of(one))
        case And(several):
            return _first_of(False, [judge_of(one) for one in several])  # noqa: FBT003  the value that decides
        case Or(several):
            return _first_of(True, [judge_of(one) for one in several])  # noqa: FBT003
        case Like(fact, pattern, caseless):
            return _like(_value_of(fact), pattern, caseless=caseless)
        case Compare(comparison, fact, literal, caseless):
            return _comparison(OPERATORS[comparison], _value_of(fact), literal, caseless=caseless)


def about_threads(where: Where, *, negated: bool = False) -> Where:
    """Return what a condition asks of a thread: of its kind and its conversation alone.

    Any other fact is one of messages, and any of them may have it, or not. negated: return that of the opposite.
    """
    match where:
        case Not(one):
            return about_threads(one, negated=not negated)
        case And(several) | Or(several):
            parts = tuple(about_threads(one, negated=negated) for one in several)
            return And(parts) if isinstance(where, And) != negated else Or(parts)
        case Compare() | Like() | IsDefined() if where.fact not in _OF_THREADS:
            return And(())
    return Not(where) if negated else where


def _negation(judge: Judge) -> Judge:
    def opposite(judged: Judged) -> bool | None:
        found = judge(judged)
        return None if found is None else not found

    return opposite


def _first_of(decides: bool, judges: list[Judge]) -> Judge:
    """Return the judge that finds one value as soon as any judge does, else unknown if any is, else the other value."""

    def together(judged: Judged) -> bool | None:
        result: bool | None = not decides
        for judge in judges:
            found = judge(judged)
            if found is decides:
                return decides
            if found is None:
                result = None
        return result

    return together


def _comparison(
    compare: Callable[[Any, Any], bool], value_of: Callable[[Judged], Any], literal: str | int, *, caseless: bool
) -> Judge:
    wanted = literal.casefold() if caseless and isinstance(literal, str) else literal

    def judge(judged: Judged) -> bool | None:
        value = value_of(judged)
        if value is None:
            return None
        return compare(value.casefold() if caseless and isinstance(value, str) else value, wanted)

    return judge


def _like(value_of: Callable[[Judged], Any], pattern: str, *, caseless: bool) -> Judge:
    """Match from the left, each `%` as short as may be, and the last from the right: no pattern takes long."""
    split = _split(pattern)
    pieces, last_length = [_piece(piece, caseless=caseless) for piece in split], len(split[-1])

    def judge(judged: Judged) -> bool | None:
        value = value_of(judged)
        return None if value is None else _matches(pieces, last_length, value)

    return judge


def _split(pattern: str) -> list[list[str | None]]:
    """Return the characters between the `%` of a pattern, None for `_`."""
    pieces: list[list[str | None]] = [[]]
    for escaped, character in re.findall(r"\\(.)|(.)", pattern, re.DOTALL):
        if escaped:
            pieces[-1].append(escaped)
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if character == "_" else character)
    return pieces


def _piece(characters: list[str | None], *, caseless: bool) -> re.Pattern[str]:
    text = "".join(["." if one is None else re.escape(one) for one in characters])
    return re.compile(text, re.DOTALL | (re.IGNORECASE if caseless else 0))


def _matches(pieces: list[re.Pattern[str]], last_length: int, value: str) -> bool:
    first, *others = pieces
    found = first.match(value)
    if found is None:
        return False
    if not others:
        return found.end() == len(value)
    end = found.end()
    for piece in others[:-1]:
        found = piece.search(value, end)
        if found is None:
            return False
        end = found.end()
    start = len(value) - last_length
    return start >= end and others[-1].match(value, start) is not None


def _value_of(fact: Fact) -> Callable[[Judged], Any]:
    name = fact.name
    match fact.source:
        case Source.RESOURCE:
            return lambda judged: getattr(judged.resource, name)
        case Source.KIND:
            return lambda judged: judged.kind
        case Source.FLAG:
            bit = int(name)
            return lambda judged: _SET if judged.resource.flags & bit else None
        case Source.KEYWORD:
            return lambda judged: _SET if name in judged.keywords else None
        case Source.MESSAGE:
            return lambda judged: judged.message.get(name)
