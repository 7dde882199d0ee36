"""The objects of CPM as whole bodies: kinds, facts and parts. The shapes are of real stores, the numbers made up."""

from __future__ import annotations

import calendar

import pytest

from davstore.model.messages import MessageFacts, Part
from davstore.model.nodes import ResourceType
from davstore.protocol.message.reading import MessageReader, read_message
from tests.cpm_bodies import CPIM, FILE_TRANSFER, GROUP_STATE, IMDN, OVER_HTTP, SESSION

HEADERS = b"""\
From: tel:+15550100
To: tel:+15550101
Date: Thu, 11 Feb 2016 14:00:49 +0100
Message-ID: <881999583.1171@store.example>
Subject: Trip
MIME-Version: 1.0
Conversation-ID: 927d83c9902c362b
Contribution-ID: abcdef-1234
InReplyTo-Contribution-ID: 01234567-89ab
IMDN-Message-ID: UFoF32nXQSy5l3d4
Message-Direction: received
Message-Context: pager-message
Message-Correlator: 1
P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg
""".replace(b"\n", b"\r\n")
SAID = {
    "from_": "tel:+15550100",
    "to": "tel:+15550101",
    "date_us": calendar.timegm((2016, 2, 11, 13, 0, 49)) * 1_000_000,
    "message_id": "881999583.1171@store.example",
    "subject": "Trip",
    "conversation_id": "927d83c9902c362b",
    "contribution_id": "abcdef-1234",
    "in_reply_to_contribution_id": "01234567-89ab",
    "imdn_message_id": "UFoF32nXQSy5l3d4",
    "direction": "received",
    "message_context": "pager-message",
    "message_correlator": "1",
    "p_asserted_service": "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
}
OUTER = HEADERS + b"Content-Type: Message/CPIM\r\n\r\n"
ANONYMOUS = b"""\
From: <sip:anonymous@anonymous.invalid>
To: <sip:anonymous@anonymous.invalid>
NS: imdn <urn:ietf:params:imdn>
NS: rcs <http://www.gsma.com>
imdn.Message-ID: Msg2BCqcBUWKA
DateTime: 2016-02-11T13:00:40.826Z
imdn.Disposition-Notification: positive-delivery, display

""".replace(b"\n", b"\r\n")
IN_CPIM_US = calendar.timegm((2016, 2, 11, 13, 0, 40)) * 1_000_000 + 826_000
TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\nHello!"
MIXED = b"""\
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Hello!
--b
Content-Type: message/rfc822

Subject: inner
From: <im:a@example.com>

text of it
--b
Content-Type: image/png
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=a.png

iVBORw==
--b--
""".replace(b"\n", b"\r\n")
RELATED = b"""\
Content-Type: multipart/related; boundary=cpm; type="%b"

--cpm
Content-Type: %b

%b
--cpm
Content-Type: image/jpeg
Content-Transfer-Encoding: binary
Content-ID: <33333>

\xff\xd8\xff\xe0picture
--cpm--
"""


def read(content: bytes) -> MessageFacts:
    """Return the facts of a body, which are the same when it comes in blocks."""
    found = read_message(content)
    assert found is not None
    for size in (1, 100, len(content)):
        reader = MessageReader()
        for start in range(0, len(content), size):
            reader.feed(content[start : start + size])
        assert reader.close() == found
    return found


def said(found: MessageFacts) -> dict[str, object]:
    """Return the facts that a body says, without its kind and parts."""
    return {key: value for key, value in found._asdict().items() if value is not None and key not in ("kind", "parts")}


def contents(content: bytes, found: MessageFacts) -> list[tuple[str, str, bytes]]:
    """Return number, media type and bytes of each part."""
    return [(part.number, part.media_type, content[part.start : part.stop]) for part in found.parts]


def shifted(parts: tuple[Part, ...], by: int) -> list[Part]:
    """Return parts of a body that begins earlier."""
    return [part._replace(start=part.start + by, stop=part.stop + by) for part in parts]


def test_a_chat_message_says_what_its_outer_headers_say() -> None:
    content = OUTER + ANONYMOUS + TEXT
    found = read(content)
    assert found.kind is ResourceType.MESSAGE
    assert said(found) == {**SAID, "preview": "Hello!"}
    assert contents(content, found) == [("1", "text/plain", b"Hello!")]


def test_what_the_outer_headers_do_not_say_the_cpim_says() -> None:
    content = b"Content-Type: message/cpim\r\n\r\n" + ANONYMOUS + TEXT
    assert said(read(content)) == {
        "from_": "<sip:anonymous@anonymous.invalid>",
        "to": "<sip:anonymous@anonymous.invalid>",
        "imdn_message_id": "Msg2BCqcBUWKA",
        "date_us": IN_CPIM_US,
        "preview": "Hello!",
    }
    partly = b"From: tel:+15550100\r\nDate: yesterday\r\n" + content
    assert said(read(partly)) == {**said(read(content)), "from_": "tel:+15550100"}


def test_rfc3862_2_a_bare_cpim() -> None:
    content = ANONYMOUS + TEXT
    found = read(content)
    assert found.kind is ResourceType.MESSAGE
    assert (found.date_us, found.imdn_message_id, found.preview) == (IN_CPIM_US, "Msg2BCqcBUWKA", "Hello!")
    assert contents(content, found) == [("1", "text/plain", b"Hello!")]


def test_rfc3862_3_5_a_message_that_requires_what_is_not_known_is_a_message_with_parts() -> None:
    found = read(CPIM)
    assert (found.kind, said(found)) == (ResourceType.MESSAGE, {})
    assert contents(CPIM, found)[0][:2] == ("1", "text/xml")
    assert said(read(b"From: tel:+15550100\r\nContent-Type: message/cpim\r\n\r\n" + CPIM)) == {"from_": "tel:+15550100"}


def test_a_message_of_a_group_chat_to_several() -> None:
    headers = ANONYMOUS.replace(
        b"<sip:anonymous@anonymous.invalid>\r\nNS: imdn", b"<tel:+15550101>\r\nTo: Eve <tel:+15550102>\r\nNS: imdn"
    )
    outer = b"From: tel:+15550100\r\nDate: ven., 30 10 2015 16:26:16.0 +0100\r\nContribution-ID: c\r\n"
    assert said(read(outer + b"Content-Type: message/cpim\r\n\r\n" + headers + TEXT)) == {
        "from_": "tel:+15550100",
        "to": "<tel:+15550101>, Eve <tel:+15550102>",
        "date_us": calendar.timegm((2015, 10, 30, 15, 26, 16)) * 1_000_000,
        "contribution_id": "c",
        "imdn_message_id": "Msg2BCqcBUWKA",
        "preview": "Hello!",
    }


@pytest.mark.parametrize("before", [OUTER + ANONYMOUS, ANONYMOUS, OUTER + ANONYMOUS.removesuffix(b"\r\n")])
@pytest.mark.parametrize("inner", [TEXT, MIXED])
def test_rfc9051_6_4_5_the_parts_of_a_cpim_are_those_of_its_entity(before: bytes, inner: bytes) -> None:
    mail = b"From: a@example.com\r\nTo: b@example.com\r\n" + inner
    found = read(before + inner)
    assert list(found.parts) == shifted(read(mail).parts, len(before) + len(inner) - len(mail))
    if inner is MIXED:
        assert [part.number for part in found.parts] == ["1", "2", "2.1", "3"]
        assert found.parts[3].filename == "a.png"


@pytest.mark.parametrize("before", [OUTER + ANONYMOUS, ANONYMOUS])
def test_rfc5438_a_notification_in_a_cpim(before: bytes) -> None:
    found = read(before + b"Content-Type: Message/IMDN+xml\r\nContent-Disposition: notification\r\n\r\n" + IMDN)
    assert found.kind is ResourceType.IMDN
    assert found.imdn_message_id in ("UFoF32nXQSy5l3d4", "Msg2BCqcBUWKA")  # its own, not that of its message
    assert found.from_ in ("tel:+15550100", "<sip:anonymous@anonymous.invalid>")
    assert [(part.number, part.media_type, part.disposition) for part in found.parts] == [
        ("1", "message/imdn+xml", "notification")
    ]


@pytest.mark.parametrize("name", [b"Application/X-CPM-Session", b"application/x-cpm-session"])
def test_a_session_info(name: bytes) -> None:
    headers = HEADERS.replace(b"To: tel:+15550101\r\n", b"")
    found = read(headers + b"Content-Type: " + name + b"\r\n\r\n" + SESSION)
    assert found.kind is ResourceType.SESSION_INFO
    assert said(found) == {**SAID, "to": "tel:+15550100, tel:+15550101"}
    assert read(HEADERS + b"Content-Type: " + name + b"\r\n\r\n" + SESSION).to == "tel:+15550101"


def test_a_session_info_with_media() -> None:
    headers = HEADERS.replace(b"To: tel:+15550101\r\n", b"")
    content = headers + RELATED % ((b"Application/X-CPM-Session",) * 2 + (SESSION,))
    found = read(content)
    assert (found.kind, found.to) == (ResourceType.SESSION_INFO, "tel:+15550100, tel:+15550101")
    assert [part[:2] for part in contents(content, found)] == [("1", "application/x-cpm-session"), ("2", "image/jpeg")]


def test_rfc5547_a_file_transfer_with_its_file() -> None:
    headers = HEADERS.replace(b"To: tel:+15550101\r\n", b"")
    for root in (b"Application/X-CPM-File-Transfer", b"application/x-cpm-file-transfer"):
        content = headers + RELATED % (root, root, FILE_TRANSFER)
        found = read(content)
        assert found.kind is ResourceType.FILE_TRANSFER
        assert said(found) == {
            **SAID,
            "to": "tel:+15550100",
            "filename": "My picture.jpg",
            "size": 4092,
            "mime_type": "image/jpeg",
        }
        assert contents(content, found)[1] == ("2", "image/jpeg", b"\xff\xd8\xff\xe0picture")
        assert found.parts[1].content_id == "33333"


def test_rfc2387_the_root_may_stand_behind_other_parts() -> None:
    root = b"Application/X-CPM-File-Transfer"
    picture = b"--cpm\nContent-Type: image/png\n\n\x89PNG\n--cpm\n"
    found = read(HEADERS + (RELATED % (root, root, FILE_TRANSFER)).replace(b"--cpm\n", picture, 1))
    assert [part.media_type for part in found.parts] == ["image/png", "application/x-cpm-file-transfer", "image/jpeg"]
    assert (found.kind, found.filename, found.size) == (ResourceType.FILE_TRANSFER, "My picture.jpg", 4092)


@pytest.mark.parametrize("before", [OUTER + ANONYMOUS, ANONYMOUS, HEADERS])
def test_a_file_transfer_over_http(before: bytes) -> None:
    found = read(before + b"Content-Type: application/vnd.gsma.rcs-ft-http+xml;charset=utf-8\r\n\r\n" + OVER_HTTP)
    assert found.kind is ResourceType.FILE_TRANSFER
    assert (found.filename, found.size, found.mime_type) == ("car & me.png", 171_008, "image/png")
    assert found.imdn_message_id in ("UFoF32nXQSy5l3d4", "Msg2BCqcBUWKA")


def test_a_group_state_with_headers() -> None:
    found = read(
        b"Conversation-ID: c\r\nContribution-ID: d\r\nContent-Type: Application/group-state-object+xml\r\n\r\n"
        + GROUP_STATE
    )
    assert found.kind is ResourceType.GROUP_STATE
    assert said(found) == {
        "conversation_id": "c",
        "contribution_id": "d",
        "date_us": calendar.timegm((2012, 6, 13, 21, 39, 57)) * 1_000_000,
        "state_us": calendar.timegm((2012, 6, 13, 21, 39, 57)) * 1_000_000,
        "to": "bob <tel:+15550100>, alice <tel:+15550101>, tel:+15550102",
    }


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (IMDN, ResourceType.IMDN),
        (GROUP_STATE, ResourceType.GROUP_STATE),
        (OVER_HTTP, ResourceType.FILE_TRANSFER),
        (IMDN[: len(IMDN) // 2], ResourceType.IMDN),
    ],
)
def test_xml_objects_by_themselves(content: bytes, kind: ResourceType) -> None:
    assert read(content).kind is kind


@pytest.mark.parametrize("content", [SESSION, FILE_TRANSFER, b"<svg/>", b"<html>", b"\xff\xd8\xff\xe0"])
def test_what_is_no_object(content: bytes) -> None:
    assert read_message(content) is None


@pytest.mark.parametrize("body", [b"", b"<session>", b"\x00\xff", b"<!DOCTYPE a><a/>", b"<a>" * 10_000])
def test_an_object_that_cannot_be_read_keeps_its_kind_and_headers(body: bytes) -> None:
    for name, kind in (
        (b"Application/X-CPM-Session", ResourceType.SESSION_INFO),
        (b"Application/X-CPM-File-Transfer", ResourceType.FILE_TRANSFER),
        (b"application/group-state-object+xml", ResourceType.GROUP_STATE),
        (b"message/imdn+xml", ResourceType.IMDN),
    ):
        found = read(HEADERS + b"Content-Type: " + name + b"\r\n\r\n" + body)
        oldest = {"state_us": 0} if kind is ResourceType.GROUP_STATE else {}  # it comes before all that say a time
        assert (found.kind, said(found)) == (kind, SAID | oldest)


def test_transfer_encodings_of_objects() -> None:
    encoded = b"Content-Type: message/imdn+xml\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + IMDN.replace(
        b"=", b"=3D"
    )
    found = read(b"Conversation-ID: c\r\nContribution-ID: d\r\n" + encoded)
    assert (found.kind, found.from_) == (ResourceType.IMDN, "im:bob@example.com")
