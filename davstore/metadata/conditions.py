"""Conditions as SQL, where both databases judge them exactly as `policy.where` does.

That is so for numbers, times, flags, keywords and kinds, and for texts that are equal; unknown is NULL. It is not where
case is ignored, where a text is matched by a pattern, or where texts are put in an order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, FromClause, and_, bindparam, case, exists, false, null, or_, true

from davstore.metadata.listings import BOUND, COLUMN_OF
from davstore.metadata.messages import COLUMN_OF_FIELD
from davstore.metadata.tables import binding, keyword, message, node
from davstore.model.nodes import ResourceType
from davstore.model.where import (
    OPERATORS,
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
    facts_of,
)

Truth = ColumnElement[bool]

_SET: Final = "T"
WITH_MESSAGE: Final = BOUND.outerjoin(
    message, and_(message.c.store_id == node.c.store_id, message.c.body_id == node.c.body_id)
)


def source_of(*wheres: Where | None) -> FromClause:
    """Return the tables that some conditions are about."""
    facts = [fact for where in wheres if where is not None for fact in facts_of(where)]
    return WITH_MESSAGE if any(fact.source is Source.MESSAGE for fact in facts) else BOUND


def truth_of(where: Where | None) -> Truth | None:
    """Return whether a member is selected, NULL for unknown; None: SQL cannot tell. No condition selects all."""
    match where:
        case None:
            return true()
        case IsCollection():
            return binding.c.is_coll == 1
        case Not(one):
            inner = truth_of(one)
            return None if inner is None else ~inner
        case And(several):
            return _several(and_, true(), several)
        case Or(several):
            return _several(or_, false(), several)
        case IsDefined(fact):
            return _is_defined(fact)
        case Compare(comparison, fact, literal, caseless):
            return None if caseless else _compare(comparison, fact, literal)
        case Like():
            return None


def _several(join: Callable[..., Truth], first: Truth, several: tuple[Where, ...]) -> Truth | None:
    truths = [truth for one in several if (truth := truth_of(one)) is not None]
    return join(first, *truths) if len(truths) == len(several) else None


def _is_defined(fact: Fact) -> Truth:
    match fact.source:
        case Source.KIND:
            return true()
        case Source.FLAG | Source.KEYWORD:
            return _is_set(fact)
        case _:
            return _column(fact).is_not(None)


def _compare(comparison: Comparison, fact: Fact, literal: str | int) -> Truth | None:
    compare = OPERATORS[comparison]
    match fact.source:
        case Source.FLAG | Source.KEYWORD:
            agrees = true() if compare(_SET, literal) else false()
            return case((_is_set(fact), agrees), else_=null().cast(Boolean))
        case Source.KIND:
            return or_(false(), *(node.c.type == int(one) for one in ResourceType if compare(one.word, literal)))
        case _ if fact.form is Form.TEXT and comparison is not Comparison.EQ:
            return None
        case _:
            truth: Truth = compare(_column(fact), bindparam(None, literal))
            return truth


def _is_set(fact: Fact) -> Truth:
    if fact.source is Source.FLAG:
        return node.c.flags.bitwise_and(int(fact.name)) != 0
    return exists().where(
        keyword.c.store_id == node.c.store_id, keyword.c.node_id == node.c.id, keyword.c.name == fact.name
    )


def _column(fact: Fact) -> ColumnElement[Any]:
    return COLUMN_OF_FIELD[fact.name] if fact.source is Source.MESSAGE else COLUMN_OF[fact.name]
