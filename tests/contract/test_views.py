"""Views and their definitions: what is told when a device changes its filter (docs/sync.md#views)."""

from __future__ import annotations

from sqlalchemy import bindparam, delete

from davstore.metadata import views
from davstore.metadata.statements import Write
from davstore.metadata.tables import view
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.states import Flag, StateChange
from davstore.model.views import EVERYTHING, View
from davstore.model.where import Compare, Comparison, Fact, Form, IsDefined, Not, Source, Where
from davstore.store import syncing
from tests.contract.storage import Storage, count_rows

SEEN = IsDefined(Fact(Source.FLAG, str(int(Flag.SEEN))))
UNREAD = Not(SEEN)
FORGET = Write(delete(view).where(view.c.store_id == bindparam("s")))


def report(
    storage: Storage, where: Where | None, token: SyncToken | None = None, limit: int | None = None
) -> tuple[dict[str, str], Changes]:
    """Return a word for each row of a report, and the report."""
    page = syncing.changes_since(
        storage.context,
        storage.at(""),
        token,
        level=Level.INFINITE,
        limit=limit,
        view=EVERYTHING if where is None else View(where),
    )
    words = {}
    for row in page.rows:
        gone = "out of view" if isinstance(row, Removed) and row.out_of_view else "gone"
        words["/".join(row.names)] = gone if isinstance(row, Removed) else "there"
    return words, page


def fill(storage: Storage) -> None:
    """Make three messages that are read and three that are not."""
    for name in "abcdef":
        storage.put(name)
        if name < "d":
            storage.mark(name, StateChange(set=Flag.SEEN))


def test_a_change_of_view_tells_the_difference_page_by_page(storage: Storage) -> None:
    fill(storage)
    _, page = report(storage, UNREAD)
    told: list[dict[str, str]] = []
    token, goes_on = page.token, True
    while goes_on:
        words, page = report(storage, SEEN, token, limit=2)
        told.append(words)
        token, goes_on = page.token, page.truncated
    assert [len(words) for words in told] == [2, 2, 2]
    assert {name: word for words in told for name, word in words.items()} == {
        **dict.fromkeys("abc", "there"),
        **dict.fromkeys("def", "out of view"),
    }
    assert report(storage, SEEN, token)[0] == {}


def test_what_is_in_both_views_is_not_told_again(storage: Storage) -> None:
    fill(storage)
    small = Compare(Comparison.LT, Fact(Source.RESOURCE, "length", Form.NUMBER), 100)
    _, page = report(storage, small)
    assert report(storage, UNREAD, page.token)[0] == dict.fromkeys("abc", "out of view")
    assert report(storage, None, page.token)[0] == {}
    _, page = report(storage, None)
    assert report(storage, small, page.token)[0] == {}


def test_without_the_definition_everything_is_told(storage: Storage) -> None:
    fill(storage)
    _, page = report(storage, UNREAD)
    storage.database.write(lambda unit: unit.run(FORGET, {"s": storage.facts.id}))
    assert report(storage, SEEN, page.token)[0] == {
        **dict.fromkeys("abc", "there"),
        **dict.fromkeys("def", "out of view"),
    }
    _, page = report(storage, UNREAD)
    first, page = report(storage, SEEN, page.token, limit=3)
    storage.database.write(lambda unit: unit.run(FORGET, {"s": storage.facts.id}))
    rest, page = report(storage, SEEN, page.token)
    assert not page.truncated
    assert {**first, **rest} == {**dict.fromkeys("abc", "there"), **dict.fromkeys("def", "out of view")}


def test_a_device_in_its_first_run_has_no_view_to_differ_from(storage: Storage) -> None:
    fill(storage)
    _, page = report(storage, None, limit=2)
    words, _ = report(storage, UNREAD, page.token)
    assert words == {**dict.fromkeys("abc", "out of view"), **dict.fromkeys("def", "there")}


def test_a_store_keeps_so_many_definitions(storage: Storage) -> None:
    storage.put("a")
    length = Fact(Source.RESOURCE, "length", Form.NUMBER)
    first = report(storage, Compare(Comparison.GTE, length, 0))[1].token
    second = report(storage, Compare(Comparison.GTE, length, -1))[1].token
    assert count_rows(storage, ["view"])["view"] == 2
    others = [
        {"store_id": storage.facts.id, "hash": f"{number:016}", "definition": "[]", "asked_us": storage.now_us + number}
        for number in range(1, views.MOST_KEPT - 1)
    ]
    storage.database.write(lambda unit: unit.many(views._INSERT, others))
    storage.now_us += views.MOST_KEPT
    report(storage, SEEN)
    assert count_rows(storage, ["view"])["view"] == views.MOST_KEPT
    told = [report(storage, None, token)[0] for token in (first, second)]
    assert sorted(told, key=len) == [{}, {"a": "there"}]  # of two that are as old one was dropped


def test_a_definition_in_use_is_kept(storage: Storage) -> None:
    storage.put("a")
    length = Fact(Source.RESOURCE, "length", Form.NUMBER)
    used = Compare(Comparison.GTE, length, 0)
    token, begun_us = report(storage, used)[1].token, storage.now_us
    others = [
        {"store_id": storage.facts.id, "hash": f"{number:016}", "definition": "{}", "asked_us": begun_us + number}
        for number in range(1, views.MOST_KEPT)
    ]
    storage.database.write(lambda unit: unit.many(views._INSERT, others))
    storage.now_us += 2 * 86_400 * 1_000_000
    token = report(storage, used, token)[1].token
    report(storage, SEEN)
    assert count_rows(storage, ["view"])["view"] == views.MOST_KEPT
    assert report(storage, None, token)[0] == {}
