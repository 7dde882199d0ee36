"""The answers to messages, found on both databases by the ids that messages name."""

from __future__ import annotations

import pytest

from davstore.engine.threads import link
from davstore.errors import LimitNotSupported
from davstore.metadata import answers, bodies, messages, nodes, stores
from davstore.metadata.unit import Unit
from davstore.model.facets import ANSWERS
from davstore.model.messages import MessageFacts
from davstore.model.nodes import ResourceType
from tests.contract.storage import Storage


def say(storage: Storage, text: str, message_id: str | None, in_reply_to: str | None = None, *, date: int = 1) -> None:
    """Store a message with these facts."""
    storage.put(text, text.encode())
    node_id, store_id = storage.find(text).node_id, storage.facts.id
    facts = MessageFacts(ResourceType.MESSAGE, date_us=date, message_id=message_id, in_reply_to=in_reply_to)

    def work(unit: Unit) -> None:
        body_id = bodies.find_body_id(unit, store_id, node_id)
        assert body_id is not None
        messages.insert_message(unit, store_id, body_id, facts, now_us=0)
        nodes.set_type(unit, store_id, body_id, facts.kind)
        ledger = stores.lock(unit, storage.owner)
        link(unit, ledger, [node_id], now_us=storage.now_us)
        stores.settle(unit, ledger, now_us=storage.now_us)

    storage.database.write(work)


def answered(storage: Storage, text: str = "", depth: int | None = None) -> dict[str, list[str]]:
    """Return the answers to each message, both by their places."""
    listing = storage.listing(text, depth=depth, facets={ANSWERS})
    found = listing.facets.of(ANSWERS)
    return {
        "/".join(one.names): ["/".join(names) for names in found[one.node_id]]
        for one in listing.resources
        if one.node_id in found
    }


def test_answers_are_told_wherever_they_lie(storage: Storage) -> None:
    storage.mkcol("c")
    storage.mkcol("c/d")
    say(storage, "first", "1@x")
    say(storage, "other", "2@x")
    say(storage, "c/d/late", "3@x", "1@x", date=9)
    say(storage, "c/early", None, "1@x", date=5)
    say(storage, "to late", "4@x", "3@x")
    say(storage, "to nobody", "5@x", "0@x")
    say(storage, "case", "6@x", "1@X")
    assert answered(storage) == {"first": ["c/early", "c/d/late"], "c/d/late": ["to late"]}
    storage.copy("c/early", "copy")
    storage.move("c/d", "e")
    storage.delete("to late")
    assert answered(storage) == {"first": ["copy", "c/early", "e/late"]}
    storage.put("copy", b"no message any more")
    assert answered(storage, "first", 0) == {"first": ["c/early", "e/late"]}


def test_a_long_id_is_stored_and_answers_nothing(storage: Storage) -> None:
    """It is longer than what an index takes."""
    long = "ä" * 60_000
    say(storage, "first", long)
    say(storage, "second", long, long)
    say(storage, "third", "ä" * 500)
    say(storage, "fourth", None, "ä" * 500)
    assert answered(storage) == {"third": ["fourth"]}


def test_answers_are_those_of_the_same_store(storage: Storage) -> None:
    say(storage, "first", "1@x")
    storage.add_store("you")
    say(storage, "second", "2@x", "1@x")
    say(storage, "own", "1@x")
    assert answered(storage) == {"own": ["second"]}
    storage.owner = "me"
    assert answered(storage) == {}


def test_answers_have_an_end(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LISTED", 1)
    say(storage, "first", "1@x")
    say(storage, "second", None, "1@x")
    assert answered(storage) == {"first": ["second"]}
    say(storage, "third", None, "1@x")
    with pytest.raises(LimitNotSupported):
        answered(storage)
