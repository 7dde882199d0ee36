"""The stage of a view: of the members that are there, those that a device is shown.

A member that is not in the view, and may have been told before, is told as out of view, apart from one that is gone; a
folder or thread that is left out once, at its top, and nothing beneath it. A thread that a condition alone leaves out
is told so where no member of it is in the view: on a device it ends with all that is beneath. Where the view changed,
what entered and what left it is told, and nothing else that a device has. No stage before asks about facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from typing import Any, Final

from davstore.metadata import listings, states
from davstore.model.changes import FULL_RELISTING, Removed
from davstore.model.nodes import ResourceType
from davstore.model.rules import KEYWORDS
from davstore.sync.inquiry import Inquiry
from davstore.sync.lenses import Homes, Lens, find_homes, judge, show
from davstore.sync.runs import Arrived, Departed, Run

AT_ONCE = 256
"""Members whose facts are looked up together."""
MOST_MEMBERS: Final = 10_000
"""Members that are looked at of threads which a condition leaves out."""


class _Verdict(Enum):
    THERE = "there"
    OUT_OF_VIEW = "out of view"
    NOTHING = "nothing is told"


def through(asked: Inquiry, runs: Iterator[Run]) -> Iterator[Run]:
    """Yield the rows of a report as its view shows them, each under its key."""
    if asked.lens.is_whole and not asked.start.tells_difference:
        yield from runs
        return
    for run in runs:
        if isinstance(run, Departed):
            known = [row for row in run.rows if _may_be_known(asked, row[1])]
            if known:
                yield Departed(known)
            continue
        for start in range(0, len(run.rows), AT_ONCE):
            yield from _judged(asked, Arrived(run.rows.cut(start, start + AT_ONCE), run.fresh))


def _may_be_known(asked: Inquiry, gone: Removed) -> bool:
    """Tell whether a device may have what is gone: it lay in the folders of the view, or of the view before.

    What was there before it may have been a folder on the way to one of those, whatever it was itself.
    """
    if asked.start.relisting == FULL_RELISTING:
        return True
    lenses = [lens for lens in (asked.lens, asked.before) if lens is not None]
    return any(lens.reaches(gone.names, is_collection=True) for lens in lenses)


def _judged(asked: Inquiry, run: Arrived) -> Iterator[Run]:
    rows = run.rows.columns[2]
    at = 0
    for verdict, some in groupby(_settle_threads(asked, rows, list(_verdicts(asked, run, rows)))):
        stop = at + len(list(some))
        if verdict is _Verdict.THERE:
            yield Arrived(run.rows.cut(at, stop), run.fresh)
        elif verdict is _Verdict.OUT_OF_VIEW:
            names = asked.ancestry.names
            gone = [(run.key(index), rows[index]) for index in range(at, stop)]
            yield Departed([(key, Removed(names(row.parent_id), row.name, row.is_collection, 1)) for key, row in gone])
        at = stop


def _settle_threads(asked: Inquiry, rows: list[Any], verdicts: list[_Verdict]) -> list[_Verdict]:
    """Return the verdicts with those on threads that are not shown put right.

    One that is not reached was shown before if it was reached, with messages even where a condition left it out itself;
    else no device has it, for none makes one. One that a condition leaves out must take no message in the view away.
    """
    ids: dict[tuple[str, ...], int] = {}
    for at, (row, verdict) in enumerate(zip(rows, verdicts, strict=True)):
        if row.type == ResourceType.THREAD and verdict is not _Verdict.THERE:
            names = (*asked.ancestry.names(row.parent_id), row.name)
            if not asked.lens.reaches(names, is_collection=True):
                is_known = asked.before is not None and asked.before.reaches(names, is_collection=True)
                is_known = is_known or asked.start.relisting == FULL_RELISTING
                verdicts[at] = _Verdict.OUT_OF_VIEW if is_known else _Verdict.NOTHING
            elif verdict is _Verdict.OUT_OF_VIEW:
                ids[names] = row.node_id
    kept = _with_members(asked, ids) if ids else ()
    return [_Verdict.NOTHING if row.node_id in kept else verdict for row, verdict in zip(rows, verdicts, strict=True)]


def _with_members(asked: Inquiry, ids: dict[tuple[str, ...], int]) -> set[int]:
    """Return those of some threads that have members in the view; all of them where these are too many to look at."""
    unit, store_id, names = asked.unit, asked.facts.id, {node_id: names for names, node_id in ids.items()}
    members = listings.list_members_of(unit, store_id, names, limit=MOST_MEMBERS)
    if len(members) == MOST_MEMBERS:
        return {*names}
    return {ids[one.parent] for one in show(unit, store_id, asked.lens, members)}


def _verdicts(asked: Inquiry, run: Arrived, rows: list[Any]) -> Iterator[_Verdict]:
    """Yield what is told of each row.

    A row with a number up to the base did not change since the device had all of the view before, so the facts of today
    say whether it was in that one.
    """
    base, is_full = asked.start.base, asked.start.relisting == FULL_RELISTING
    lens, before = asked.lens, asked.before
    lenses = [lens] if before is None else [lens, before]
    shown, *earlier = judge(asked.unit, asked.facts.id, rows, lenses)
    homes = find_homes(asked.unit, asked.facts.id, rows, lenses)
    near = list(_reached(asked, lens, rows, homes))
    had = (
        [False] * len(rows)
        if before is None
        else list(map(all, zip(earlier[0], _reached(asked, before, rows, homes), strict=True)))
    )
    alike = _are_alike(asked, rows)
    numbers = [run.fresh] * len(rows) if run.fresh else run.rows.changed
    for index, number in enumerate(numbers):
        is_old = number <= base
        has = is_old and had[index]
        if shown[index] and near[index]:
            yield _Verdict.NOTHING if has and alike[index] else _Verdict.THERE
        elif near[index] is None:
            yield _Verdict.NOTHING
        else:
            yield _Verdict.OUT_OF_VIEW if has or is_full or not is_old else _Verdict.NOTHING


def _reached(asked: Inquiry, lens: Lens, rows: list[Any], homes: Homes) -> Iterator[bool | None]:
    """Yield for each row whether it is in the folders or threads of a view; None: nor is what holds it."""
    if not lens.view.has_scopes:
        yield from [True] * len(rows)
        return
    for row in rows:
        parent = asked.ancestry.names(row.parent_id)
        is_collection, home = bool(row.is_collection), homes.get(row.node_id)
        if lens.reaches((*parent, row.name), is_collection=is_collection, home=home):
            yield True
        else:
            yield False if lens.reaches(parent, is_collection=True) else None


def _are_alike(asked: Inquiry, rows: list[Any]) -> list[bool]:
    """Return whether the same states of each row are told in this view and in the one before."""
    lens, before = asked.lens, asked.before
    if before is None or lens.view.withheld == before.view.withheld:
        return [True] * len(rows)
    flags = _flags_that_differ(lens, before)
    tagged = {}
    if KEYWORDS in lens.view.withheld ^ before.view.withheld:
        tagged = states.list_keywords(asked.unit, asked.facts.id, [row.node_id for row in rows])
    return [not row.flags & flags and not tagged.get(row.node_id) for row in rows]


def _flags_that_differ(lens: Lens, before: Lens) -> int:
    return lens.withheld_flags ^ before.withheld_flags
