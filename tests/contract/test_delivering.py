"""Deliveries are filed by what they say of themselves, whole or not at all, and once, on every database."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from davstore.engine.receiving import Incoming
from davstore.errors import (
    Locked,
    Malformed,
    NotFound,
    ParentMissing,
    PreconditionFailed,
    QuotaExceeded,
    SessionInfoUnique,
)
from davstore.model.conditions import IfCondition, IfList, Preconditions
from davstore.model.locks import LockInfo, LockScope
from davstore.model.nodes import ResourceType
from davstore.model.principals import Ability, Principal, Service, User
from davstore.protocol.http.integrity import IntegrityFields
from davstore.store import delivering, locking, making
from davstore.store.delivering import Fate
from tests.contract.storage import INLINE_BYTES, Storage
from tests.contract.test_dispositions import message
from tests.cpm_bodies import GROUP_STATE, SESSION
from tests.messages import session_info

MAIL = b"From: a@x\r\nTo: b@x\r\nDate: Tue, 24 Nov 2026 10:00:02 +0000\r\n%s\r\nhello"
SENT = b"Message-Direction: sent\r\n"
HEAD = b"From: <tel:+1>\r\nDate: Tue, 24 Nov 2026 10:00:02 +0000\r\nConversation-ID: c\r\nContribution-ID: d\r\n"


CPIM_IN_A_BLOCK = b"Content-Type: message/cpim\r\nMessage-Direction: sent\r\n\r\n" + message()
STATE_TYPE = "application/group-state-object+xml"
IMAGE = b"\xff\xd8\xff\xe0"


@pytest.mark.parametrize(
    ("content", "media_type", "folder", "extension", "stored_type"),
    [
        (MAIL % b"", None, "Inbox", ".eml", "message/rfc822"),
        (MAIL % b"Message-Direction: received\r\n", "message/rfc822", "Inbox", ".eml", "message/rfc822"),
        (MAIL % SENT, None, "Sent", ".eml", "message/rfc822"),
        (message(), "message/cpim", "Inbox", ".cpim", "message/cpim"),
        (CPIM_IN_A_BLOCK, "message/cpim", "Sent", ".cpim", "message/cpim"),
        (HEAD + b"Content-Type: Application/X-CPM-Session\r\n\r\n" + SESSION, None, "Inbox", ".eml", "message/rfc822"),
        (HEAD + b"Content-Type: Application/X-CPM-File-Transfer\r\n\r\nx", None, "Inbox", ".eml", "message/rfc822"),
        (GROUP_STATE, STATE_TYPE, "Inbox", ".xml", STATE_TYPE),
        (IMAGE, "image/jpeg", "Media", ".jpg", "image/jpeg"),
        (IMAGE * INLINE_BYTES, "Image/JPEG; a=b", "Media", ".jpg", "Image/JPEG; a=b"),
        (IMAGE, None, "Media", "", "application/octet-stream"),
    ],
)
def test_each_object_has_its_folder_which_the_first_delivery_makes(
    storage: Storage, content: bytes, media_type: str | None, folder: str, extension: str, stored_type: str
) -> None:
    delivered = storage.deliver(content, media_type)
    assert delivered.path is not None
    assert delivered.resource is not None
    assert delivered.fate is Fate.STORED
    assert delivered.path.names[:-1] == (folder,)
    assert delivered.path.name.endswith(extension)
    assert "." in delivered.path.name or not extension
    assert delivered.resource.content_type == stored_type
    assert storage.tree() == {folder: None, delivered.path.key: delivered.resource.etag}
    assert storage.get(delivered.path.key) == content


def test_a_message_of_a_session_goes_into_its_history_where_that_is(storage: Storage) -> None:
    def place_of(conversation: str, contribution: str, subject: int) -> str:
        ids = f"Conversation-ID: {conversation}\r\nContribution-ID: {contribution}\r\nSubject: {subject}\r\n"
        delivered = storage.deliver(MAIL % ids.encode())
        assert delivered.path is not None
        return delivered.path.parent.key

    assert place_of("c", "s", 1) == "Inbox"
    storage.mkcol("chats")
    making.make_collection(storage.context, storage.at("chats/s"), type_=ResourceType.SESSION_HISTORY)
    storage.put("chats/s/info.eml", session_info("s", "c"))
    assert place_of("c", "s", 2) == "chats/s"
    assert place_of("c", "other", 3) == "Inbox"
    assert place_of("other", "s", 4) == "Inbox"
    storage.move("chats/s", "s")
    assert place_of("c", "s", 5) == "s"
    with pytest.raises(SessionInfoUnique):
        storage.deliver(session_info("s", "c"))
    assert storage.deliver(session_info("s", "c"), name="info.eml").fate is Fate.KNOWN
    storage.delete("s")
    assert place_of("c", "s", 6) == "Inbox"


def test_the_name_is_the_one_suggested_or_says_what_it_is(storage: Storage) -> None:
    def name_of(suggested: str) -> str:
        delivered = storage.deliver(MAIL % (b"Subject: %d\r\n" % len(suggested)), name=suggested)
        assert delivered.path is not None
        assert delivered.path.names[:-1] == ("Inbox",)
        return delivered.path.name

    assert re.fullmatch(r"message-[0-9a-f]{12}\.eml", name_of(""))
    assert name_of("Good news.eml") == "Good news.eml"


def test_the_same_bytes_are_delivered_once_and_others_beside_them(storage: Storage) -> None:
    first, again = (storage.deliver(MAIL % b"", name="a.eml") for _ in range(2))
    assert (first.fate, again.fate, again.path) == (Fate.STORED, Fate.KNOWN, first.path)
    other = storage.deliver(MAIL % b"Subject: x\r\n", name="a.eml")
    assert other.fate is Fate.STORED
    assert other.path != first.path
    assert storage.deliver(MAIL % b"Subject: x\r\n", name="a.eml").path == other.path
    files, large = storage.blob_files, b"x" * (INLINE_BYTES + 1)
    assert [storage.deliver(large).fate for _ in range(2)] == [Fate.STORED, Fate.KNOWN]
    assert len(storage.blob_files) == len(files) + 1


def test_equal_deliveries_at_one_time_are_one(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: storage.deliver(MAIL % (b"Subject: %d\r\n" % (number % 4))), range(32)))
    assert len({one.path for one in found}) == len(storage.members("Inbox")) == 4
    assert [one.fate for one in found].count(Fate.STORED) == 4


def test_nobody_else_delivers_but_a_service(storage: Storage) -> None:
    incoming = Incoming(io.BytesIO(MAIL % b""), None)
    context = storage.context
    stranger = Principal(User(9, "you", 9, 1, disabled=False))
    service = Service(8, "recorder", "0" * 16, Ability.DELIVER, revoked=False)
    with pytest.raises(NotFound):
        delivering.deliver(context.services.context(stranger), "me", incoming)
    with pytest.raises(NotFound):
        delivering.deliver(context.services.context(service), "nobody", incoming)
    incoming = Incoming(io.BytesIO(MAIL % b""), None)
    assert delivering.deliver(context.services.context(service), "me", incoming).fate is Fate.STORED


@pytest.mark.parametrize("place", ["", "Inbox"])
def test_a_lock_is_in_the_way_without_its_token(storage: Storage, place: str) -> None:
    if place:
        storage.mkcol(place)
    granted = locking.lock(
        storage.context, storage.at(place), LockInfo(LockScope.EXCLUSIVE, None), infinite=False, seconds=60
    )
    before = storage.tree()
    with pytest.raises(Locked):
        storage.deliver(MAIL % b"")
    assert storage.tree() == before
    token = IfCondition(negated=False, token=granted.lock.token, etag=None)
    conditions = Preconditions(if_lists=(IfList(storage.at(place), (token,)),))
    incoming = Incoming(io.BytesIO(MAIL % b""), None)
    delivered = delivering.deliver(storage.context, "me", incoming, conditions=conditions)
    assert delivered.fate is Fate.STORED


def test_a_file_in_the_place_of_the_folder_is_a_conflict(storage: Storage) -> None:
    storage.put("Inbox")
    with pytest.raises(ParentMissing):
        storage.deliver(MAIL % b"")
    assert storage.tree().keys() == {"Inbox"}


@pytest.mark.parametrize("content", [MAIL % b"", b"x" * 3_000])
def test_nothing_stays_of_a_delivery_that_fails(storage: Storage, content: bytes) -> None:
    wrong = IntegrityFields({"sha256": "0" * 64})
    with pytest.raises(Malformed):
        delivering.deliver(storage.context, "me", Incoming(io.BytesIO(content), len(content), wrong))
    with pytest.raises(Malformed):
        delivering.deliver(storage.context, "me", Incoming(io.BytesIO(content[:-1]), len(content)))
    unmet = Preconditions(
        if_lists=(IfList(storage.at("x"), (IfCondition(negated=False, token="urn:x:y", etag=None),)),)
    )
    with pytest.raises(PreconditionFailed):
        delivering.deliver(storage.context, "me", Incoming(io.BytesIO(content), None), conditions=unmet)
    storage.add_store("poor", quota_bytes=50)
    with pytest.raises(QuotaExceeded):
        storage.deliver(content)
    assert storage.tree() == {}
    assert storage.blob_files == []
