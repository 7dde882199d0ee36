"""Notifications count for their messages: before them, after them, twice, and for each copy, on every database."""

from __future__ import annotations

import random

import pytest

from davstore.errors import TooManyDispositions, Unprocessable
from davstore.model import dispositions as bounds
from davstore.model.facets import DISPOSITIONS
from davstore.store.delivering import Fate
from davstore.store.sweeping import sweep_history
from tests.contract.storage import Storage, told

MESSAGE = (
    b"From: <tel:+1>\r\nTo: <tel:+2>\r\nDateTime: 2026-11-24T10:00:00Z\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: %s\r\n\r\nContent-Type: text/plain\r\n\r\nhello"
)
DAY_US = 86_400_000_000


def message(imdn_id: str = "m1") -> bytes:
    return MESSAGE % imdn_id.encode()


def imdn(status: str, recipient: str = "tel:+2", *, of: str = "m1", second: int = 5, kind: str = "delivery") -> bytes:
    return (
        f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{of}</message-id>'
        f"<datetime>2026-11-24T10:00:{second:02}Z</datetime><recipient-uri>{recipient}</recipient-uri>"
        f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
    ).encode()


def dispositions(storage: Storage, place: str) -> list[tuple[str, str, str, int]]:
    """Return recipient, type, status and second of what is known of the message at a place."""
    listing = storage.listing(place, depth=0, facets={DISPOSITIONS})
    known = listing.facets.of(DISPOSITIONS).get(listing.top.node_id, ())
    return [(one.recipient, one.type.word, one.status.word, one.at_us // 1_000_000 % 60) for one in known]


REPORTS = [
    imdn("delivered", second=5),
    imdn("delivered", second=4),
    imdn("failed", second=1),
    imdn("stored", kind="processing"),
    imdn("displayed", kind="display", second=9),
    imdn("delivered", "tel:+3"),
]
COUNTED = [
    ("tel:+2", "delivery", "delivered", 4),
    ("tel:+2", "processing", "stored", 5),
    ("tel:+2", "display", "displayed", 9),
    ("tel:+3", "delivery", "delivered", 5),
]


@pytest.mark.parametrize("seed", range(4))
def test_before_after_and_twice_are_the_same(storage: Storage, seed: int) -> None:
    chance = random.Random(seed)
    arrivals = [*REPORTS, *REPORTS, message()]
    chance.shuffle(arrivals)
    is_there = False
    for content in arrivals:
        delivered = storage.deliver(content)
        assert delivered.fate is (Fate.STORED if content == message() else Fate.COUNTED if is_there else Fate.WAITING)
        is_there |= content == message()
    [place] = [name for name in storage.tree() if "/" in name]
    assert dispositions(storage, place) == COUNTED


def test_one_that_is_stored_counts_too_and_for_every_copy(storage: Storage) -> None:
    storage.put("a", message())
    storage.copy("a", "b")
    storage.put("report", imdn("delivered"))
    storage.put("report", imdn("displayed", kind="display"))
    expected = [("tel:+2", "delivery", "delivered", 5), ("tel:+2", "display", "displayed", 5)]
    assert dispositions(storage, "a") == dispositions(storage, "b") == expected
    storage.copy("a", "c")
    storage.delete("report")
    assert dispositions(storage, "c") == expected


def test_a_sync_report_tells_the_message_once_it_has_changed_and_never_else(storage: Storage) -> None:
    storage.put("a", message())
    storage.put("other", message("m2"))
    token, before = storage.report().token, storage.listing("a", depth=0).top
    assert storage.deliver(imdn("displayed", kind="display")).path == storage.at("a")
    after = storage.listing("a", depth=0).top
    assert (after.modseq > before.modseq, after.etag, after.modified_us) == (True, before.etag, before.modified_us)
    changes = storage.report("", token)
    assert told(changes) == ["+a"]
    for again in (imdn("displayed", kind="display"), imdn("error", kind="display"), imdn("delivered", of="m3")):
        storage.deliver(again)
    assert storage.report("", changes.token).token == changes.token


def test_a_long_one_counts_as_a_short_one(storage: Storage) -> None:
    storage.put("a", message())
    long = imdn("delivered").replace(b"<delivery", b"<note>" + b"x" * storage.limits.inline_bytes + b"</note><delivery")
    files = storage.blob_files
    assert storage.deliver(long).fate is Fate.COUNTED
    assert storage.blob_files == files
    assert dispositions(storage, "a") == [("tel:+2", "delivery", "delivered", 5)]


def test_one_that_cannot_be_read_is_refused_at_the_drop_and_a_resource_elsewhere(storage: Storage) -> None:
    unreadable = imdn("sold")
    with pytest.raises(Unprocessable):
        storage.deliver(unreadable)
    storage.put("a", unreadable)
    assert storage.tree().keys() == {"a"}


def test_one_message_has_so_many_and_a_store_so_many_that_wait(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("MOST_OF_MESSAGE", 3), ("MOST_WAITING", 5)):
        monkeypatch.setattr(f"davstore.engine.dispositions.{name}", most)
    storage.put("a", message())
    for number in range(3):
        storage.deliver(imdn("delivered", f"tel:+{number}"))
    with pytest.raises(TooManyDispositions):
        storage.deliver(imdn("delivered", "tel:+9"))
    storage.deliver(imdn("error", "tel:+1"))  # no other one
    for number in range(5):
        storage.deliver(imdn("delivered", of=f"x{number}"))
    with pytest.raises(TooManyDispositions):
        storage.deliver(imdn("delivered", of="x9"))
    storage.put("report", imdn("delivered", of="x9"))  # stored all the same
    storage.put("b", message("x0"))
    sweep_history(storage.database, now_us=storage.now_us, keep_seconds=86_400, keep_changes=0)
    assert storage.deliver(imdn("delivered", of="x9")).fate is Fate.WAITING
    assert bounds.MOST_OF_MESSAGE >= 1_000, "a thousand recipients"


def test_those_without_a_message_wait_as_long_as_history_is_kept(storage: Storage) -> None:
    storage.put("a", message())
    storage.deliver(imdn("delivered"))
    storage.deliver(imdn("delivered", of="m2"))

    def sweep(days: int) -> None:
        now_us = storage.now_us + days * DAY_US
        sweep_history(storage.database, now_us=now_us, keep_seconds=21 * 86_400, keep_changes=0)

    sweep(20)
    storage.put("b", message("m2"))
    assert dispositions(storage, "b") == [("tel:+2", "delivery", "delivered", 5)]
    storage.delete("b")
    sweep(22)
    storage.put("b", message("m2"))
    assert dispositions(storage, "b") == []
    assert dispositions(storage, "a") == [("tel:+2", "delivery", "delivered", 5)]
    sweep(60)
    assert dispositions(storage, "a") == [("tel:+2", "delivery", "delivered", 5)]


def test_a_message_whose_id_changes_has_what_was_told_of_the_other(storage: Storage) -> None:
    storage.put("a", message())
    storage.deliver(imdn("delivered"))
    storage.deliver(imdn("displayed", of="m2", kind="display"))
    storage.put("a", message("m2"))
    assert dispositions(storage, "a") == [("tel:+2", "display", "displayed", 5)]


def test_each_user_has_its_own(storage: Storage) -> None:
    storage.put("a", message())
    storage.add_store("you")
    storage.put("a", message())
    storage.deliver(imdn("delivered"))
    assert dispositions(storage, "a")
    storage.owner = "me"
    assert not dispositions(storage, "a")
