"""Conditions judged by the databases equal those judged in memory (RFC 5323 §5.5)."""

from __future__ import annotations

import random

import pytest

from davstore.metadata import changed_members
from davstore.metadata.changed_members import difference_form, each_changed
from davstore.metadata.conditions import truth_of
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.states import Flag, StateChange
from davstore.model.views import View
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
from davstore.sync.lenses import Lens, judge
from tests.contract.storage import Storage
from tests.contract.sync_model import letter

NUMBERS = {
    Fact(Source.RESOURCE, "length", Form.NUMBER): (0, 1, 93, 94),
    Fact(Source.MESSAGE, "date_us", Form.TIME): (1_700_000_000_000_000, 1_700_000_050_000_000),
    Fact(Source.MESSAGE, "size", Form.NUMBER): (0, 1),
}
TEXTS = {
    Fact(Source.KIND, "kind"): ("message", "media", "imdn", "", "z"),
    Fact(Source.FLAG, str(int(Flag.SEEN))): ("T", "F", ""),
    Fact(Source.FLAG, str(int(Flag.FLAGGED))): ("T",),
    Fact(Source.KEYWORD, "work"): ("T", "U"),
    Fact(Source.MESSAGE, "from_"): ("a@example.org", "", "b"),
    Fact(Source.MESSAGE, "subject"): ("x",),
}
NOTHING = Or(())


def fill(storage: Storage) -> None:
    """Make collections, messages and other files, with states of all sorts."""
    storage.mkcol("c")
    for number in range(12):
        content = letter(number * 90, 1_700_000_000 + number * 10) if number % 3 else b"x" * number
        name = f"{'c/' if number % 2 else ''}{number}"
        storage.put(name, content)
        keywords = frozenset({"work"}) if number % 4 == 0 else frozenset()
        flags = (Flag.SEEN if number % 2 else 0) | (Flag.FLAGGED if number > 6 else 0)
        storage.mark(name, StateChange(set=int(flags), added=keywords))


def any_condition(chance: random.Random, levels: int) -> Where:
    """Return a condition that the databases can tell."""
    kind = chance.randrange(7 if levels else 4)
    fact = chance.choice([*NUMBERS, *TEXTS])
    if kind == 0:
        return IsDefined(fact)
    if kind == 1:
        return IsCollection()
    if kind < 4:
        if fact in NUMBERS:
            return Compare(chance.choice(list(Comparison)), fact, chance.choice(NUMBERS[fact]))
        is_fixed = fact.source in (Source.KIND, Source.FLAG, Source.KEYWORD)
        comparison = chance.choice(list(Comparison)) if is_fixed else Comparison.EQ
        return Compare(comparison, fact, chance.choice(TEXTS[fact]))
    several = tuple(any_condition(chance, levels - 1) for _ in range(chance.randrange(3)))
    return Not(any_condition(chance, levels - 1)) if kind == 4 else (And if kind == 5 else Or)(several)


def selected(unit: Unit, facts: StoreFacts, where: Where, other: Where) -> set[str]:
    """Return the names of the non-collections that one of two conditions selects, as the database judges."""
    form = difference_form(where, other, base=2**40)
    assert form is not None
    rows = [row for batch in each_changed(unit, facts, form, after=0, wanted=100) for row in batch.columns[2]]
    return {row.name for row in rows}


@pytest.mark.parametrize("seed", range(8))
def test_both_select_the_same(storage: Storage, seed: int) -> None:
    fill(storage)
    chance, facts = random.Random(seed), storage.facts

    def work(unit: Unit) -> None:
        batches = each_changed(unit, facts, changed_members.ROWS, after=0, wanted=100)
        rows = [row for batch in batches for row in batch.columns[2]]
        for _ in range(40):
            wheres = [any_condition(chance, 3), any_condition(chance, 3)]
            kept = judge(unit, facts.id, rows, [Lens(View(where)) for where in wheres])
            names = [
                {row.name for row, is_kept in zip(rows, one, strict=True) if is_kept and not row.is_collection}
                for one in kept
            ]
            assert selected(unit, facts, wheres[0], NOTHING) == names[0], wheres[0]
            assert selected(unit, facts, *wheres) == names[0] ^ names[1], wheres

    storage.database.read(work)


@pytest.mark.parametrize(
    "where",
    [
        Like(Fact(Source.MESSAGE, "subject"), "a%"),
        Compare(Comparison.EQ, Fact(Source.MESSAGE, "subject"), "ä", caseless=True),
        Compare(Comparison.LT, Fact(Source.MESSAGE, "subject"), "a"),
        Not(Or((IsCollection(), Like(Fact(Source.RESOURCE, "etag"), "%")))),
    ],
)
def test_the_databases_are_not_asked_for_what_they_judge_otherwise(where: Where) -> None:
    assert truth_of(where) is None
    assert difference_form(where, None, base=0) is None
