"""The other objects of message stores: RFC 5438 §11, RFC 5547 §6, and the XML of CPM and RCS."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.message.file_transfer import is_file_transfer, read_file_transfer
from davstore.protocol.message.group_state import is_group_state, read_group_state
from davstore.protocol.message.imdn import is_imdn, read_imdn
from davstore.protocol.message.session import read_session
from tests.cpm_bodies import FILE_TRANSFER, GROUP_STATE, IMDN, OVER_HTTP, SESSION

LOOKS = {is_imdn: IMDN, is_group_state: GROUP_STATE, is_file_transfer: OVER_HTTP}
READERS: list[Callable[[bytes], Mapping[str, str | int]]] = [
    read_imdn,
    read_session,
    read_group_state,
    read_file_transfer,
]


@pytest.mark.parametrize("look", LOOKS)
def test_each_is_known_by_its_root(look: Callable[[bytes], bool]) -> None:
    for other, content in LOOKS.items():
        bare = content.partition(b"?>\n")[2] or content
        for form in (content, bare, b"\xef\xbb\xbf" + content, b"\n <!-- > -->\r\n<?a b?>" + bare):
            assert look(form) == (look is other)
    for content in (b"", b"<", b"<imdn/>", b"<html>", b"\x89PNG", SESSION, FILE_TRANSFER, b"text <imdn>", b"<?xml ?>"):
        assert not look(content)


@pytest.mark.parametrize(
    ("root", "is_one"),
    [
        (b'<i:imdn xmlns:i="urn:ietf:params:xml:ns:imdn">', True),
        (b"<imdn a='b'\n\txmlns = 'urn:ietf:params:xml:ns:imdn' >", True),
        (b'<imdn xmlns:i="urn:ietf:params:xml:ns:imdn">', False),
        (b'<i:imdn xmlns="urn:ietf:params:xml:ns:imdn">', False),
        (b'<imdn xmlns="urn:ietf:params:xml:ns:imdn2">', False),
        (b'<imdns xmlns="urn:ietf:params:xml:ns:imdn">', False),
        (b'<!DOCTYPE imdn><imdn xmlns="urn:ietf:params:xml:ns:imdn">', False),
        (b"<!--" + b" " * 5_000 + b'--><imdn xmlns="urn:ietf:params:xml:ns:imdn">', False),
    ],
)
def test_rfc5438_11_1_the_root_of_a_notification(root: bytes, is_one: bool) -> None:
    assert is_imdn(root) == is_one


def test_rfc5438_11_1_a_notification_is_from_the_recipient_of_its_message() -> None:
    assert read_imdn(IMDN) == {"from_": "im:bob@example.com"}
    prefixed = (
        IMDN.replace(b"<", b"<i:").replace(b"<i:/", b"</i:").replace(b"<i:?", b"<?").replace(b"xmlns=", b"xmlns:i=")
    )
    assert read_imdn(prefixed) == {"from_": "im:bob@example.com"}


@pytest.mark.parametrize(
    "content",
    [
        IMDN.replace(b"im:bob@example.com", b" "),
        IMDN.replace(b"ns:imdn", b"ns:other"),
        IMDN.replace(b"</imdn>", b""),
        IMDN.replace(b"<imdn ", b"<!DOCTYPE imdn><imdn "),
        IMDN.replace(b"<imdn ", b'<!DOCTYPE imdn [<!ENTITY a "b">]><imdn '),
        IMDN.replace(b"im:bob@example.com", b"&undeclared;"),
        IMDN.replace(b"<message-id>", b"<a>" * 300),
        b"",
        b"\x89PNG",
    ],
)
def test_rfc5438_11_1_what_cannot_be_read_says_nothing(content: bytes) -> None:
    assert read_imdn(content) == {}


def test_a_session_info_is_to_those_invited() -> None:
    assert read_session(SESSION) == {"to": "tel:+15550100, tel:+15550101"}


@pytest.mark.parametrize(
    ("invited", "to"),
    [
        (b"tel:+1;phone-context=example.com;tel:+2", "tel:+1;phone-context=example.com, tel:+2"),
        (b" sip:a@example.com ; user=phone;\r\n;+15550100;", "sip:a@example.com ; user=phone, +15550100"),
        (b"sip:a@example.com?x=1&amp;y=2&z", "sip:a@example.com?x=1&y=2&z"),
        (b"", None),
        (b" ; ", None),
    ],
)
def test_rfc3966_3_a_semicolon_also_begins_a_parameter(invited: bytes, to: str | None) -> None:
    session = b"<session><invited-participants>%b</invited-participants></session>" % invited
    assert read_session(session).get("to") == to


@pytest.mark.parametrize(
    "content",
    [b"", b"<session/>", SESSION.replace(b"</invited", b"</x"), b"</invited-participants><invited-participants>a"],
)
def test_a_session_info_without_those_invited(content: bytes) -> None:
    assert read_session(content) == {}


def test_a_group_state_has_a_time_and_participants() -> None:
    assert read_group_state(GROUP_STATE) == {
        "date_us": calendar.timegm((2012, 6, 13, 21, 39, 57)) * 1_000_000,
        "state_us": calendar.timegm((2012, 6, 13, 21, 39, 57)) * 1_000_000,
        "to": "bob <tel:+15550100>, alice <tel:+15550101>, tel:+15550102",
    }
    named = GROUP_STATE.replace(b"<groupstate ", b'<groupstate xmlns="urn:example:groupstate" ')
    assert is_group_state(named)
    assert read_group_state(named) == read_group_state(GROUP_STATE)
    timeless = {"state_us": 0}
    assert read_group_state(b'<groupstate timestamp="yesterday"><participant name="bob"/></groupstate>') == timeless
    assert read_group_state(GROUP_STATE.replace(b"bob", b"b & b")) == timeless
    assert read_group_state(b'<x><groupstate timestamp="2012-06-13T16:39:57-05:00"/></x>') == timeless


def test_rfc5547_6_the_file_of_a_file_transfer() -> None:
    assert read_file_transfer(FILE_TRANSFER) == {
        "filename": "My picture.jpg",
        "mime_type": "image/jpeg",
        "size": 4092,
        "to": "tel:+15550100",
    }
    second = b"<file-object><sdp>a=file-selector:name:&quot;2&quot;</sdp></file-object>"
    assert read_file_transfer(FILE_TRANSFER + second)["filename"] == "My picture.jpg"
    assert read_file_transfer(second) == {"filename": "2"}


@pytest.mark.parametrize(
    ("selector", "facts"),
    [
        (b'name:"a%22b%25%C3%A4.txt"', {"filename": 'a"b%ä.txt'}),
        (b'size:1 name:"size:2 type:a/b" hash:sha-1:AA:BB', {"filename": "size:2 type:a/b", "size": 1}),
        (b'type:Text/Plain;charset="utf-8" size:-1', {"mime_type": "text/plain"}),
        (b"size:x name:plain.txt type:", {"filename": "plain.txt"}),
        (b"size:%b" % (b"9" * 19), {}),
        (b'name:"a&amp;lt;b"', {"filename": "a&lt;b"}),
        (b'name:""', {}),
        (b"", {}),
    ],
)
def test_rfc5547_6_file_selectors(selector: bytes, facts: Mapping[str, str | int]) -> None:
    assert read_file_transfer(b"<file-object><sdp>a=file-selector:%b</sdp></file-object>" % selector) == facts


def test_a_file_transfer_over_http() -> None:
    assert read_file_transfer(OVER_HTTP) == {"filename": "car & me.png", "size": 171_008, "mime_type": "image/png"}
    early = OVER_HTTP.replace(b' xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp"', b"")
    assert early != OVER_HTTP
    assert read_file_transfer(early) == read_file_transfer(OVER_HTTP)
    assert read_file_transfer(OVER_HTTP.replace(b"&amp;", b"&")) == {}
    assert read_file_transfer(OVER_HTTP.replace(b'"file"', b'"other"')) == {}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "piece",
    [b"<sdp>", b";", b"; ", b' name:"', b"&amp;", b"<!---->", b"<?a?>", b"a=file-selector:", b" xmlns='", b"<a>", b" "],
)
def test_long_bodies_take_linear_time(read: Callable[[bytes], object], piece: bytes) -> None:
    for seed in (b"", IMDN, SESSION, GROUP_STATE, FILE_TRANSFER, OVER_HTTP):
        middle = len(seed) // 2
        begun = time.process_time()
        read(seed[:middle] + piece * (2_000_000 // len(piece)) + seed[middle:])
        assert time.process_time() - begun < 2


SEEDS = (IMDN, SESSION, GROUP_STATE, FILE_TRANSFER, OVER_HTTP)


@given(st.sampled_from(SEEDS), st.integers(0), st.integers(0, 20), st.binary(max_size=8))
def test_any_bytes_have_an_answer(seed: bytes, place: int, size: int, piece: bytes) -> None:
    place %= len(seed)
    content = seed[:place] + piece + seed[place + size :]
    for look in LOOKS:
        look(content)
    for read in READERS:
        for name, value in read(content).items():
            assert value or name in ("size", "date_us", "state_us")
            str(value).encode()
