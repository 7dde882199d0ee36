"""Session histories are found by the conversation that their session info names, on both databases."""

from __future__ import annotations

from davstore.metadata.sessions import find_sessions
from davstore.metadata.stores import get
from davstore.model.nodes import ResourceType
from davstore.store import making
from tests.contract.storage import Storage
from tests.messages import session_info

LONG = "c" * 5_000
"""Longer than an index of PostgreSQL takes."""


def make(storage: Storage, name: str) -> int:
    """Make a session history."""
    return making.make_collection(storage.context, storage.at(name), type_=ResourceType.SESSION_HISTORY).node_id


def found(storage: Storage, *conversations: str) -> dict[int, str | None]:
    """Return the contribution id of each session history of some conversations."""

    def work(unit: object) -> dict[int, str | None]:
        store_id = get(unit, storage.owner).id  # type: ignore[arg-type]
        return {one.node_id: one.contribution_id for one in find_sessions(unit, store_id, conversations)}  # type: ignore[arg-type]

    return storage.database.read(work)


def test_sessions_are_found_by_conversation(storage: Storage) -> None:
    """In whatever folder, of several conversations at once, and while their session info is there."""
    storage.mkcol("folder")
    first, second, third = make(storage, "first"), make(storage, "folder/second"), make(storage, "third")
    storage.put("first/info.eml", session_info("one", "A"))
    storage.put("folder/second/info.eml", session_info("two", "A"))
    storage.put("third/info.eml", session_info("three", LONG))
    storage.put("folder/info.eml", session_info("none", "A"))
    assert found(storage, "A") == {first: "one", second: "two"}
    assert found(storage, "A", LONG, "B") == {first: "one", second: "two", third: "three"}
    assert found(storage, "a") == found(storage) == found(storage, LONG + "c") == {}
    storage.delete("first/info.eml")
    storage.move("folder/second", "moved")
    assert found(storage, "A") == {second: "two"}


def test_a_conversation_of_another_store_is_not_found(storage: Storage) -> None:
    """A store is an island."""
    make(storage, "s")
    storage.put("s/info.eml", session_info("one", "A"))
    storage.add_store("other")
    assert found(storage, "A") == {}
