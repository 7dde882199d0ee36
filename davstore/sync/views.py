"""The stage of a view: of the members that are there, those that a condition selects.

A member that is not in the view, and may have been told before, is told as out of view, apart from one that is gone.
Collections are always in it: they hold members that may be. No stage before asks about facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from davstore.metadata import messages, states
from davstore.model.changes import Removed
from davstore.model.nodes import ResourceType
from davstore.model.where import Source, Where, facts_of, hash_of
from davstore.policy.where import Judged, judge_of
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived, Departed, Run
from davstore.sync.tokens import WHOLE

AT_ONCE = 256
"""Members whose facts are looked up together."""


def hash_of_view(where: Where | None) -> str:
    """Return the word that stands in tokens for the view of a condition."""
    return WHOLE if where is None else hash_of(where)


def through(asked: Inquiry, runs: Iterator[Run]) -> Iterator[Run]:
    """Yield the rows of a report as its view shows them, each under its key."""
    if asked.where is None:
        yield from runs
        return
    for run in runs:
        if isinstance(run, Departed):
            yield run
            continue
        for start in range(0, len(run.rows), AT_ONCE):
            yield from _judged(asked, asked.where, Arrived(run.rows.cut(start, start + AT_ONCE), run.fresh))


def _judged(asked: Inquiry, where: Where, run: Arrived) -> Iterator[Run]:
    rows = run.rows.columns[2]
    selected = _select(asked, where, rows)
    at = 0
    for is_in, some in groupby(rows, key=lambda row: row.node_id in selected):
        count = len(list(some))
        if is_in:
            yield Arrived(run.rows.cut(at, at + count), run.fresh)
        else:
            gone = [(run.key(index), rows[index]) for index in range(at, at + count)]
            told = [(key, row) for key, row in gone if asked.start.relisting or key[0] > asked.start.base]
            if told:
                names = asked.ancestry.names
                yield Departed([(key, Removed(names(row.parent_id), row.name, out_of_view=1)) for key, row in told])
        at += count


def _select(asked: Inquiry, where: Where, rows: list[Any]) -> set[int]:
    """Return the nodes of those rows that are in the view."""
    judge = judge_of(where)
    leaves = [row for row in rows if not row.is_collection]
    of_messages, keywords = _facts(asked, where, [row.node_id for row in leaves])
    selected = {row.node_id for row in rows if row.is_collection}
    for row in leaves:
        kind = ResourceType(row.type).word
        judged = Judged(row, kind, of_messages.get(row.node_id, {}), keywords.get(row.node_id, ()))
        if judge(judged):
            selected.add(row.node_id)
    return selected


def _facts(
    asked: Inquiry, where: Where, node_ids: list[int]
) -> tuple[Mapping[int, Mapping[str, Any]], Mapping[int, list[str]]]:
    """Return the facts that a condition is about and that are not in the rows: of messages by field, and keywords."""
    facts = set(facts_of(where))
    fields = tuple(sorted({fact.name for fact in facts if fact.source is Source.MESSAGE}))
    of_messages = messages.list_fields(asked.unit, asked.facts.id, node_ids, fields) if fields else {}
    has_keywords = any(fact.source is Source.KEYWORD for fact in facts)
    return of_messages, states.list_keywords(asked.unit, asked.facts.id, node_ids) if has_keywords else {}
