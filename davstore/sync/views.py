"""The stage of a view: of the members that are there, those that a condition selects.

A member that is not in the view, and may have been told before, is told as out of view, apart from one that is gone.
Where the view changed, what entered and what left it is told, and nothing else that a device has. Collections are
always in a view: they hold members that may be. No stage before asks about facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from typing import Any, Final

from davstore.metadata import messages, states
from davstore.model.changes import FULL_RELISTING, WHOLE, Removed, SyncToken
from davstore.model.nodes import ResourceType
from davstore.model.where import Source, Where, facts_of, hash_of
from davstore.policy.where import Judged, judge_of
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Arrived, Departed, Run

AT_ONCE = 256
"""Members whose facts are looked up together."""


_WORDS: Final = {int(type_): type_.word for type_ in ResourceType}


class _Verdict(Enum):
    THERE = "there"
    OUT_OF_VIEW = "out of view"
    NOTHING = "nothing is told"


def hash_of_view(where: Where | None) -> str:
    """Return the word that stands in tokens for the view of a condition."""
    return WHOLE if where is None else hash_of(where)


def are_judged(token: SyncToken | None, where: Where | None) -> bool:
    """Tell whether the rows of a report pass this stage: a view is asked for, or was before."""
    if where is not None or token is None:
        return where is not None
    return token.view != WHOLE or (token.position is not None and token.position.tells_difference)


def through(asked: Inquiry, runs: Iterator[Run]) -> Iterator[Run]:
    """Yield the rows of a report as its view shows them, each under its key."""
    if asked.where is None and not asked.start.tells_difference:
        yield from runs
        return
    for run in runs:
        if isinstance(run, Departed):
            yield run
            continue
        for start in range(0, len(run.rows), AT_ONCE):
            yield from _judged(asked, Arrived(run.rows.cut(start, start + AT_ONCE), run.fresh))


def _judged(asked: Inquiry, run: Arrived) -> Iterator[Run]:
    rows = run.rows.columns[2]
    at = 0
    for verdict, some in groupby(_verdicts(asked, run, rows)):
        stop = at + len(list(some))
        if verdict is _Verdict.THERE:
            yield Arrived(run.rows.cut(at, stop), run.fresh)
        elif verdict is _Verdict.OUT_OF_VIEW:
            names = asked.ancestry.names
            gone = [(run.key(index), rows[index]) for index in range(at, stop)]
            yield Departed([(key, Removed(names(row.parent_id), row.name, out_of_view=1)) for key, row in gone])
        at = stop


def _verdicts(asked: Inquiry, run: Arrived, rows: list[Any]) -> Iterator[_Verdict]:
    """Yield what is told of each row.

    A row with a number up to the base did not change since the device had all of the view before, so the facts of today
    say whether it was in that one.
    """
    base, is_full = asked.start.base, asked.start.relisting == FULL_RELISTING
    tells_difference = asked.start.tells_difference
    selected, before = _select(asked, rows)
    numbers = [run.fresh] * len(rows) if run.fresh else run.rows.changed
    for number, row in zip(numbers, rows, strict=True):
        is_old = number <= base
        had = is_old and tells_difference and row.node_id in before
        if row.node_id in selected:
            yield _Verdict.NOTHING if had else _Verdict.THERE
        else:
            yield _Verdict.OUT_OF_VIEW if had or is_full or not is_old else _Verdict.NOTHING


def _select(asked: Inquiry, rows: list[Any]) -> tuple[set[int], set[int]]:
    """Return the nodes of those rows that are in the view, and of those that are in the view before."""
    leaves = [row for row in rows if not row.is_collection]
    wheres = [asked.where, asked.before] if asked.start.tells_difference else [asked.where]
    judged = list(_with_facts(asked, [where for where in wheres if where is not None], leaves))
    found = []
    for where in wheres:
        if where is None:
            found.append({row.node_id for row in rows})
        else:
            judge = judge_of(where)
            selected = {one.resource.node_id for one in judged if judge(one)}
            found.append(selected | {row.node_id for row in rows if row.is_collection})
    return found[0], found[-1]


def _with_facts(asked: Inquiry, wheres: list[Where], rows: list[Any]) -> Iterator[Judged]:
    """Yield rows with the facts that conditions are about: fields of messages, and keywords."""
    facts = {fact for where in wheres for fact in facts_of(where)}
    fields = tuple(sorted({fact.name for fact in facts if fact.source is Source.MESSAGE}))
    has_keywords = any(fact.source is Source.KEYWORD for fact in facts)
    node_ids = [row.node_id for row in rows]
    unit, store_id = asked.unit, asked.facts.id
    of_messages = messages.list_fields(unit, store_id, node_ids, fields) if fields else {}
    keywords = states.list_keywords(unit, store_id, node_ids) if has_keywords else {}
    for row in rows:
        yield Judged(row, _WORDS[row.type], of_messages.get(row.node_id, {}), keywords.get(row.node_id, ()))
