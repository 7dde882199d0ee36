"""The twelve synchronisation cases of a CPM message store, each between what the network stores and two devices."""

from __future__ import annotations

import time

import pytest

from tests.acceptance import objects
from tests.acceptance.device import Device
from tests.acceptance.objects import BO, CLEO, ME, PICTURE

MKCOL = """<D:mkcol xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop>
<D:resourcetype><D:collection/><C:session-history/></D:resourcetype></D:prop></D:set></D:mkcol>"""
CURRENT = '<D:propfind xmlns:D="DAV:"><D:prop><C:current-group-state xmlns:C="urn:davstore:cpm"/></D:prop></D:propfind>'


def store(network: Device, conversation: str, count: int, *, first: int = 0) -> dict[str, bytes]:
    """Let the network store messages of a conversation, and return them by path."""
    made = {
        f"{conversation}/{number}.cpim": objects.chat(conversation, f"m{number}", f"text {number}", minute=number)
        for number in range(first, first + count)
    }
    for path, body in made.items():
        network.ask("PUT", network.href(path), body)
    return made


def test_new_messages_come_to_the_devices(phone: Device, tablet: Device, network: Device, conversation: str) -> None:
    made = store(network, conversation, 3)
    for device in (phone, tablet):
        done = device.sync()
        assert done.fetched == {*made}
        assert {path: device.items[path].body for path in made} == made
        assert {device.items[path].kind for path in made} == {"message"}
        assert not any(device.items[path].is_seen for path in made)
        chat = device.chats[device.chat_of(conversation)]
        assert (chat.messages, chat.unread) == (3, 3)
    store(network, conversation, 1, first=3)
    assert phone.sync().fetched == {f"{conversation}/3.cpim"}
    assert set(phone.messages(phone.chat_of(conversation))) == {*made, f"{conversation}/3.cpim"}


def test_a_file_transfer_comes_with_its_file(phone: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 1)
    path = f"{conversation}/ft.eml"
    network.ask("PUT", network.href(path), objects.transfer(conversation, "f1", "My picture.jpg", PICTURE, minute=5))
    phone.sync()
    item = phone.items[path]
    assert (item.kind, item.filename) == ("file-transfer", "My picture.jpg")
    assert phone.ask("GET", phone.href(path) + "?part=2").content == PICTURE
    assert path in phone.messages(phone.chat_of(conversation))


def test_of_group_states_the_last_wins(phone: Device, network: Device, conversation: str) -> None:
    states = {1: (ME, BO), 9: (ME, CLEO), 5: (ME, BO, CLEO)}
    for minute, people in states.items():
        state = objects.group_state(conversation, f"focus-{minute}", people, minute=minute)
        network.ask("PUT", network.href(f"{conversation}/{minute}-group-state.xml"), state)
    phone.sync()
    found = {path: item for path, item in phone.items.items() if item.kind == "group-state"}
    assert len(found) == 3
    last = max(found, key=lambda path: found[path].date)
    assert last == f"{conversation}/9-group-state.xml"
    assert CLEO.encode() in found[last].body
    assert not [chat for chat in phone.chats.values() if chat.conversation == conversation]


def test_the_server_names_the_last_group_state(phone: Device, network: Device, conversation: str) -> None:
    session = network.href(f"{conversation}/session/")
    network.ask("MKCOL", session, MKCOL, Content_Type="application/xml")
    network.ask("PUT", f"{session}_session", objects.session_info(conversation, (ME, BO)))
    for minute in (1, 9, 5):
        state = objects.group_state(conversation, f"focus-{minute}", (ME, BO), minute=minute)
        network.ask("PUT", f"{session}{minute}-group-state.xml", state)
    told = phone.ask("PROPFIND", session, CURRENT, Depth="0").text
    assert f"{session}9-group-state.xml" in told


def test_a_conversation_tells_its_sessions(phone: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 1)
    phone.sync()
    chat = phone.chat_of(conversation)
    asking = CURRENT.replace("current-group-state", "sessions")
    assert "session/" not in phone.ask("PROPFIND", chat, asking, Depth="0").text
    session = network.href(f"{conversation}/session/")
    network.ask("MKCOL", session, MKCOL, Content_Type="application/xml")
    network.ask("PUT", f"{session}_session", objects.session_info(conversation, (ME, BO)))
    assert f"<D:href>{session}</D:href>" in phone.ask("PROPFIND", chat, asking, Depth="0").text


def test_media_come_as_they_are(phone: Device, network: Device, conversation: str) -> None:
    path = f"{conversation}/media-logo-4444.jpg"
    network.ask("PUT", network.href(path), PICTURE)
    assert phone.sync().fetched == {path}
    assert (phone.items[path].kind, phone.items[path].body) == ("media", PICTURE)


def test_one_conversation_stays_one_chat(phone: Device, tablet: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 2)
    phone.sync()
    before = phone.chats[phone.chat_of(conversation)].identity
    store(network, conversation, 2, first=2)
    network.ask("MKCOL", network.href(f"{conversation}/other/"))
    sent = f"{conversation}/other/sent.cpim"
    phone.send(sent, objects.chat(conversation, "sent", "from here", sender=ME, receiver=BO, minute=9))
    phone.sync()
    tablet.sync()
    for device in (phone, tablet):
        chat = device.chats[device.chat_of(conversation)]
        assert (chat.identity, chat.messages, chat.unread) == (before, 5, 4)
        assert sent in device.messages(device.chat_of(conversation))


def test_what_is_deleted_there_goes_here(phone: Device, network: Device, conversation: str) -> None:
    made = store(network, conversation, 3)
    phone.sync()
    gone = f"{conversation}/1.cpim"
    network.ask("DELETE", network.href(gone))
    done = phone.sync()
    assert (done.removed, done.fetched) == ({gone}, set())
    assert set(phone.messages(phone.chat_of(conversation))) == {*made} - {gone}
    assert phone.chats[phone.chat_of(conversation)].messages == 2


def test_what_is_deleted_here_goes_there(phone: Device, tablet: Device, network: Device, conversation: str) -> None:
    made = store(network, conversation, 2)
    phone.sync()
    tablet.sync()
    gone = f"{conversation}/0.cpim"
    phone.delete(gone)
    assert phone.sync().removed == {gone}
    assert tablet.sync().removed == {gone}
    for device in (phone, tablet):
        assert set(device.messages(device.chat_of(conversation))) == {*made} - {gone}
    phone.delete(f"{conversation}/1.cpim")
    phone.sync()
    tablet.sync()
    for device in (phone, tablet):
        assert conversation not in {chat.conversation for chat in device.chats.values()}


def test_read_here_is_seen_there(phone: Device, tablet: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 2)
    phone.sync()
    tablet.sync()
    path = f"{conversation}/0.cpim"
    phone.read(path)
    phone.sync()
    asked = network.ask("PROPFIND", network.href(path), _asking("seen"), Depth="0").text
    assert "seen>T<" in asked.replace(" ", "")
    done = tablet.sync()
    assert (done.updated, done.fetched) == ({path}, set())
    assert tablet.items[path].is_seen
    assert [device.chats[device.chat_of(conversation)].unread for device in (phone, tablet)] == [1, 1]


def test_seen_there_is_read_here(phone: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 2)
    phone.sync()
    network.sync()
    network.read(f"{conversation}/1.cpim")
    network.sync()
    done = phone.sync()
    assert (done.updated, done.fetched) == ({f"{conversation}/1.cpim"}, set())
    assert {path: item.is_seen for path, item in phone.messages(phone.chat_of(conversation)).items()} == {
        f"{conversation}/0.cpim": False,
        f"{conversation}/1.cpim": True,
    }


def test_to_synchronise_again_changes_nothing(phone: Device, network: Device, conversation: str) -> None:
    store(network, conversation, 3)
    phone.sync()
    phone.read(f"{conversation}/0.cpim")
    phone.delete(f"{conversation}/1.cpim")
    phone.sync()
    items, chats = dict(phone.items), dict(phone.chats)
    for _ in range(2):
        done = phone.sync()
        assert (done.fetched, done.updated, done.removed, done.requests) == (set(), set(), set(), 2)
    assert (phone.items, phone.chats) == (items, chats)


def test_hundreds_within_seconds(phone: Device, network: Device, conversation: str) -> None:
    come(phone, network, conversation, 200, within_seconds=30)


@pytest.mark.torture
def test_thousands_within_minutes(phone: Device, network: Device, conversation: str) -> None:
    come(phone, network, conversation, 3000, within_seconds=120)


def come(phone: Device, network: Device, conversation: str, count: int, *, within_seconds: int) -> None:
    """Let many messages come to a device at once, and one more afterwards."""
    made = store(network, conversation, count)
    begun = time.monotonic()
    assert phone.sync().fetched == {*made}
    assert time.monotonic() - begun < within_seconds
    assert {path: item.body for path, item in phone.messages(phone.chat_of(conversation)).items()} == made
    assert phone.chats[phone.chat_of(conversation)].messages == count
    store(network, conversation, 1, first=count)
    assert phone.sync().requests == 3


def _asking(name: str) -> str:
    """Return the body of a PROPFIND for one property."""
    return f'<D:propfind xmlns:D="DAV:"><D:prop><C:{name} xmlns:C="urn:davstore:cpm"/></D:prop></D:propfind>'
