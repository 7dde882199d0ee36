"""Messages that an earlier version stored get their facts by a job; what is no message stays media."""

from __future__ import annotations

import os
from functools import partial

import pytest
from sqlalchemy import bindparam, delete, update

from davstore.errors import LimitNotSupported
from davstore.jobs.indexing import READ_MESSAGES, read_messages
from davstore.metadata import jobs, messages
from davstore.metadata.statements import Write
from davstore.metadata.tables import message, node
from davstore.metadata.unit import Unit
from davstore.model.facets import MESSAGE
from davstore.model.jobs import Job
from davstore.model.nodes import ResourceType
from davstore.store import indexing
from davstore.store.indexing import Place, read_some
from tests.contract.storage import Storage

MAIL = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\nhello\r\n"


def forget(unit: Unit) -> None:
    """Leave the store as a version that reads no messages would have it."""
    unit.run(Write(delete(message)), {})
    unit.run(Write(update(node).where(node.c.is_coll == 0).values(type=bindparam("type_"))), {"type_": 0})


def subjects(storage: Storage, *names: str) -> dict[str, tuple[int, str | None]]:
    """Return the types of resources, and the subjects that are known of them."""
    found = {}
    for name in names:
        (listing,) = (storage.listing(name, depth=0, facets={MESSAGE}),)
        facts = listing.facets.of(MESSAGE).get(listing.top.node_id)
        found[name] = (listing.top.type, facts and facts.subject)
    return found


def read_all(storage: Storage, *, now_us: int) -> bool:
    """Run the job; return whether it came to its end."""
    held = Job(0, 2, READ_MESSAGES, None, "", 0, 1, 0)
    return read_messages(held, storage.database, storage.blobs, now_us=now_us) is None


def date_us(storage: Storage, name: str) -> int | None:
    """Return the date that is known of a message."""
    (listing,) = (storage.listing(name, depth=0, facets={MESSAGE}),)
    return listing.facets.of(MESSAGE)[listing.top.node_id].date_us


def test_messages_of_before_are_read_in_steps(storage: Storage, monkeypatch) -> None:
    monkeypatch.setattr(indexing, "BODIES", 2)
    for number in range(5):
        storage.put(f"{number}.txt", MAIL % (number, number))
    storage.put("long", MAIL % (9, 9) + b"x" * 300_000)
    storage.put("photo", b"\xff\xd8\xff\xe0" + b"x" * 300_000)
    storage.database.write(forget)
    before = storage.listing("0.txt", depth=0).top
    assert subjects(storage, "0.txt", "long") == dict.fromkeys(("0.txt", "long"), (ResourceType.MEDIA, None))
    at: Place | None = Place(0, 0)
    steps = 0
    while at is not None:
        at = read_some(storage.database, storage.blobs, at, now_us=storage.now_us)
        steps += 1
    assert steps == 5  # of two bodies each, and the last of none
    read = {f"{number}.txt": (ResourceType.MESSAGE, str(number)) for number in range(5)}
    expected = {**read, "long": (ResourceType.MESSAGE, "9"), "photo": (ResourceType.MEDIA, None)}
    assert subjects(storage, *expected) == expected
    after = storage.listing("0.txt", depth=0).top
    assert (after.changed, after.modseq, after.etag) == (before.changed, before.modseq, before.etag)


def test_a_damaged_body_holds_up_none_behind_it(storage: Storage) -> None:
    for name in ("cut", "lost", "whole"):
        storage.put(name, MAIL % (1, 1) + name.encode() * 100_000)
    storage.database.write(forget)
    cut, lost, _ = sorted(storage.blob_files, key=lambda file: file.stat().st_size)
    os.truncate(cut, 200_000)
    lost.unlink()
    storage.is_clean = False
    assert read_all(storage, now_us=storage.now_us)
    found = subjects(storage, "cut", "lost", "whole")
    assert found == {
        "cut": (ResourceType.MEDIA, None),
        "lost": (ResourceType.MEDIA, None),
        "whole": (ResourceType.MESSAGE, "1"),
    }


def test_a_message_without_a_date_is_dated_by_its_storing(storage: Storage) -> None:
    storage.put("a", MAIL % (1, 1))
    storage.copy("a", "b")
    dates = date_us(storage, "a")
    storage.database.write(forget)
    assert read_all(storage, now_us=storage.now_us + 10_000_000)
    assert date_us(storage, "a") == date_us(storage, "b") == dates


def test_more_facts_than_an_answer_may_hold_are_asked_for_one_by_one(storage: Storage, monkeypatch) -> None:
    for name in ("a", "b"):
        storage.put(name, MAIL % (1, 1))
    monkeypatch.setattr(messages, "LISTED_CHARACTERS", 1_000)
    assert subjects(storage, "a", "b")["b"] == (ResourceType.MESSAGE, "1")
    with pytest.raises(LimitNotSupported):
        storage.listing(depth=1, facets={MESSAGE})


def test_the_job_leaves_one_for_the_rest(storage: Storage, monkeypatch) -> None:
    monkeypatch.setattr(indexing, "BODIES", 1)
    monkeypatch.setattr("davstore.jobs.indexing.STEPS", 2)
    for number in range(3):
        storage.put(f"{number}", MAIL % (number, number))
    storage.database.write(forget)
    held = Job(0, 2, READ_MESSAGES, None, "", 0, 1, 0)
    effect = read_messages(held, storage.database, storage.blobs, now_us=storage.now_us)
    assert effect is not None
    storage.database.write(effect)
    left = storage.database.write(partial(jobs.claim, now_us=storage.now_us, lease_us=1))
    assert left is not None
    assert left.kind == READ_MESSAGES
    assert left.payload
    effect = read_messages(left, storage.database, storage.blobs, now_us=storage.now_us)
    assert effect is not None
    storage.database.write(partial(jobs.done, held=left))
    storage.database.write(effect)
    left = storage.database.write(partial(jobs.claim, now_us=storage.now_us, lease_us=1))
    assert left is not None
    assert read_messages(left, storage.database, storage.blobs, now_us=storage.now_us) is None
    assert [subject for _, subject in subjects(storage, "0", "1", "2").values()] == ["0", "1", "2"]
