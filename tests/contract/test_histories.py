"""The history of a conversation: pages from the newest message back, and the token to go on with."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from davstore.errors import ConversationMissing, InvalidSyncToken, Malformed, UnsupportedReport
from davstore.model.changes import Level, SyncToken
from davstore.model.conditions import NONE
from davstore.model.histories import Before, ContentAsked, HistoryAsked
from davstore.model.nodes import Resource
from davstore.model.paths import Area, Path
from davstore.model.states import Flag, StateChange
from davstore.model.views import EVERYTHING, View
from davstore.model.where import Fact, IsDefined, Not, Source
from davstore.store import conversing, syncing
from davstore.store.conversing import MOST_CONTENT_BYTES, History
from tests.contract.storage import Storage

DAY_S = 1_700_000_000
UNREAD = View(Not(IsDefined(Fact(Source.FLAG, str(int(Flag.SEEN))))))


def letter(number: int, date_s: int, conversation: str = "c/1", body: str = "") -> bytes:
    """Return a message of a conversation and a time."""
    date = format_datetime(datetime.fromtimestamp(date_s, UTC))
    head = f"From: a@example.org\r\nConversation-ID: {conversation}\r\nMessage-ID: <{number}@x>\r\nDate: {date}\r\n"
    return f"{head}\r\n{body or number}".encode()


def take(storage: Storage, *, where: Path | None = None, view: View = EVERYTHING, **asked: object) -> History:
    """Return a page of the conversation."""
    wish = HistoryAsked(**{"conversation_id": "c/1", **asked})  # type: ignore[arg-type]
    return conversing.history(storage.context, where or storage.at(""), wish, NONE, view=view)


def pages(storage: Storage, limit: int, *, view: View = EVERYTHING) -> list[History]:
    """Return all pages, the newest first, each asked for by where the one before ended."""
    found = [take(storage, limit=limit, view=view)]
    while found[-1].earlier is not None:
        found.append(take(storage, limit=limit, view=view, begun=found[0].token, before=found[-1].earlier))
    return found


def ids(rows: list[Resource]) -> list[int]:
    return [one.node_id for one in rows]


def since(storage: Storage, thread: tuple[str, ...], token: SyncToken) -> tuple[list[Resource], SyncToken]:
    """Return the members of a thread that a report from a token tells."""
    path = Path(storage.owner, thread, Area.THREADS)
    changes = syncing.changes_since(storage.context, path, token, level=Level.ONE, limit=None)
    return [row for row in changes.rows if isinstance(row, Resource)], changes.token


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_each_message_once_whatever_the_dates(storage: Storage, limit: int) -> None:
    dice = random.Random(limit)
    dates: dict[int, tuple[int, int]] = {}
    for number in range(20):
        date_s = DAY_S + dice.choice((0, 0, 0, 1, 2, 50))
        node_id = storage.put(f"{number}.eml", letter(number, date_s)).resource.node_id
        dates[node_id] = (date_s, node_id)
    found = pages(storage, limit)
    told = [node_id for page in reversed(found) for node_id in ids(page.rows)]
    assert told == sorted(dates, key=dates.__getitem__)
    assert all(0 < len(page.rows) <= limit for page in found)
    assert {page.token for page in found} == {found[0].token}


def test_a_client_that_knows_dates_alone_loses_nothing(storage: Storage) -> None:
    """It goes on before the date of the oldest message of a page, as it reads it: in whole seconds."""
    for number, date_s in enumerate((0, 1, 1, 2, 2, 2, 3)):
        storage.put(f"{number}.eml", letter(number, DAY_S + date_s))
    storage.put("9.eml", b"From: a@example.org\r\nConversation-ID: c/1\r\nMessage-ID: <9@x>\r\n\r\n")  # without a date
    told: list[int] = []
    before: Before | None = None
    while True:
        page = take(storage, limit=3, before=before)
        told = [*ids(page.rows), *told]
        if page.earlier is None:
            break
        assert page.earlier.tie is None
        assert page.earlier.time_us % 1_000_000 == 0
        before = page.earlier
    assert len(told) == len({*told}) == 8


def test_a_conversation_is_found_at_each_root_and_needs_no_id_at_its_thread(storage: Storage) -> None:
    storage.mkcol("in")
    storage.put("in/1.eml", letter(1, DAY_S))
    storage.put("other.eml", letter(2, DAY_S, "c/2"))
    page = take(storage)
    threads = Path(storage.owner, (), Area.THREADS)
    assert page.rows[0].parent == page.thread
    for where in (threads, Path(storage.owner, page.thread, Area.THREADS)):
        assert take(storage, where=where)._replace(token=page.token) == page
    assert take(storage, where=Path(storage.owner, page.thread, Area.THREADS), conversation_id=None) == page
    with pytest.raises(ConversationMissing):
        take(storage, conversation_id="C/1")  # byte for byte
    with pytest.raises(ConversationMissing):
        take(storage, where=Path(storage.owner, page.thread, Area.THREADS), conversation_id="c/2")
    with pytest.raises(Malformed):
        take(storage, conversation_id=None)
    for where in (storage.at("in"), storage.at("in/1.eml"), Path(storage.owner, page.rows[0].names, Area.THREADS)):
        with pytest.raises(UnsupportedReport):
            take(storage, where=where)


def test_what_comes_between_two_pages_is_told_by_the_report_alone(storage: Storage) -> None:
    for number in range(6):
        storage.put(f"{number}.eml", letter(number, DAY_S + number))
    first = take(storage, limit=3)
    late = storage.put("late.eml", letter(7, DAY_S - 5)).resource.node_id  # older than all
    newer = storage.put("newer.eml", letter(8, DAY_S + 9)).resource.node_id
    rest = take(storage, begun=first.token, before=first.earlier)
    assert len(rest.rows) == 3
    assert {late, newer}.isdisjoint(ids(rest.rows))
    rows, _ = since(storage, first.thread, rest.token)
    assert sorted(ids(rows)) == sorted([late, newer])
    with pytest.raises(InvalidSyncToken):
        take(storage, begun=storage.report().token)


def test_each_message_once_while_deliveries_arrive(storage: Storage) -> None:
    """A device takes the history, a page at a time, and goes on with reports, until all deliveries are told."""
    count = 60
    for number in range(10):
        storage.put(f"old-{number}.eml", letter(number, DAY_S + number))
    failed: list[BaseException] = []

    def deliver() -> None:
        try:
            for number in range(count):
                storage.put(f"new-{number}.eml", letter(100 + number, DAY_S + number * 7 % 30))
        except BaseException as error:
            failed.append(error)
            raise

    sender = threading.Thread(target=deliver)
    sender.start()
    found = pages(storage, 4)
    told = Counter(node_id for page in found for node_id in ids(page.rows))
    token = found[-1].token
    while True:
        is_over = not sender.is_alive()
        rows, token = since(storage, found[0].thread, token)
        told.update(ids(rows))
        if is_over and not rows:
            break
    sender.join()
    assert not failed
    assert len(told) == count + 10
    assert set(told.values()) == {1}


def test_bodies_come_along_as_far_as_they_have_room(storage: Storage) -> None:
    bodies = [letter(number, DAY_S + number, body="x" * (90 + number)) for number in range(4)]
    for number, body in enumerate(bodies):
        storage.put(f"{number}.eml", body)  # longer than a row holds: blobs
    page = take(storage, content=ContentAsked(10_000))
    assert [page.contents[one.node_id] for one in page.rows] == bodies
    page = take(storage, content=ContentAsked(len(bodies[2])))
    assert [page.contents.get(one.node_id) for one in page.rows] == [*bodies[:3], None]


def test_a_page_is_shorter_where_bodies_are_too_much(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {}
    for number in range(5):
        body = letter(number, DAY_S + number, body="x" * 500)
        bodies[storage.put(f"{number}.eml", body).resource.node_id] = body
    assert MOST_CONTENT_BYTES > 1 << 20  # one body of the longest always has room
    monkeypatch.setattr(conversing, "MOST_CONTENT_BYTES", 1_500)
    told: dict[int, bytes] = {}
    before: Before | None = None
    for _ in range(3):
        page = take(storage, content=ContentAsked(1_000), before=before)
        told |= page.contents
        before = page.earlier
    assert (told, before) == (bodies, None)


def test_a_view_narrows_a_page_and_its_token(storage: Storage) -> None:
    for number in range(12):
        storage.put(f"{number}.eml", letter(number, DAY_S + number))
    for number in range(0, 12, 2):
        storage.mark(f"{number}.eml", StateChange(set=int(Flag.SEEN)))
    found = pages(storage, 2, view=UNREAD)
    assert [len(page.rows) for page in found] == [2, 2, 2]
    assert not any(one.flags for page in found for one in page.rows)
    assert found[0].token.view != take(storage).token.view
