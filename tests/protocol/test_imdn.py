"""Disposition notifications: RFC 5438 §7.2, §11.1, bare, within a CPIM, and hostile."""

from __future__ import annotations

import base64

import pytest

from davstore.model.dispositions import DispositionType, Notification, Status
from davstore.protocol.message.imdn import read_notification
from davstore.protocol.message.reading import find_notification, read_message
from tests.cpm_bodies import IMDN

AT_US = 1_207_329_409_000_000
"""2008-04-04T12:16:49-05:00, of the example of RFC 5438 §7.2.1.1."""
DELIVERED = Notification("34jk324j", "im:bob@example.com", AT_US, ((DispositionType.DELIVERY, Status.DELIVERED),))
HEAD = (
    b"From: Bob <im:bob@example.com>\r\nTo: Alice <im:alice@example.com>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: d834jied93rf\r\nDateTime: 2026-11-24T10:00:00Z\r\n\r\n"
    b"Content-type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n"
)


def imdn(inside: str, *, root: str = 'imdn xmlns="urn:ietf:params:xml:ns:imdn"') -> bytes:
    return f"<{root}>{inside}</{root.partition(' ')[0]}>".encode()


def said(kind: str, status: str) -> str:
    return f"<{kind}-notification><status><{status}/></status></{kind}-notification>"


OF = "<message-id>a</message-id><recipient-uri>tel:+1</recipient-uri>"


def test_the_example_of_the_rfc() -> None:
    assert find_notification(IMDN) == find_notification(HEAD + IMDN) == DELIVERED


def test_in_a_cpim_with_an_outer_block_and_encoded() -> None:
    outer = b"Content-Type: message/cpim\r\nMessage-Direction: received\r\n\r\n"
    encoded = HEAD.replace(b"\r\n\r\nContent", b"\r\n\r\nContent-Transfer-Encoding: base64\r\nContent")
    assert find_notification(outer + HEAD + IMDN) == DELIVERED
    assert find_notification(encoded + base64.encodebytes(IMDN)) == DELIVERED


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("delivery", ("delivered", "failed", "forbidden", "error")),
        ("processing", ("processed", "stored", "forbidden", "error")),
        ("display", ("displayed", "forbidden", "error")),
    ],
)
def test_each_type_has_its_states(kind: str, states: tuple[str, ...]) -> None:
    for status in Status:
        found = read_notification(imdn(OF + said(kind, status.word)))
        assert (found.states if found else ()) == (
            ((DispositionType[kind.upper()], status),) if status.word in states else ()
        )


def test_namespaces_count_and_prefixes_do_not() -> None:
    prefixed = imdn(OF + said("display", "displayed"), root='imdn xmlns="urn:ietf:params:xml:ns:imdn"').replace(
        b"imdn xmlns=", b"imdn xmlns:x='urn:y' xmlns="
    )
    assert read_notification(prefixed) is not None
    other = OF + '<display-notification><status><x:displayed xmlns:x="urn:y"/></status></display-notification>'
    assert read_notification(imdn(other)) is None
    assert read_notification(imdn(OF + said("display", "displayed"), root="imdn")) is None


def test_the_time_is_that_of_the_notification_or_of_the_message_around() -> None:
    bare = imdn(OF + said("display", "displayed"))
    assert find_notification(bare) == Notification("a", "tel:+1", None, ((DispositionType.DISPLAY, Status.DISPLAYED),))
    found = find_notification(HEAD + bare)
    assert found is not None
    assert found.at_us == 1_795_514_400_000_000


def test_the_recipient_is_the_final_one_else_the_original_one() -> None:
    both = "<recipient-uri>tel:+1</recipient-uri><original-recipient-uri>tel:+2</original-recipient-uri>"
    for uris, wanted in ((both, "tel:+1"), (both[both.index("<orig") :], "tel:+2")):
        found = read_notification(imdn(f"<message-id>a</message-id>{uris}{said('display', 'displayed')}"))
        assert found is not None
        assert found.recipient == wanted


@pytest.mark.parametrize(
    "content",
    [
        imdn("<message-id>a</message-id>" + said("display", "displayed")),
        imdn("<recipient-uri>tel:+1</recipient-uri>" + said("display", "displayed")),
        imdn(OF),
        imdn(OF.replace("a<", f"{'a' * 256}<") + said("display", "displayed")),
        imdn(OF.replace("+1", "1" * 256) + said("display", "displayed")),
        imdn(OF.replace(">a<", "> <>\n<") + said("display", "displayed")),
        b'<!DOCTYPE imdn [<!ENTITY a "b">]>' + imdn(OF + said("display", "displayed")),
        imdn(OF + "<a>" * 300 + "</a>" * 300 + said("display", "displayed")),
        imdn(OF + "<a/>" * 10_001 + said("display", "displayed")),
        imdn(OF + said("display", "displayed"))[:-3],
        b"",
        b"<",
        HEAD,
    ],
)
def test_what_tells_nothing_is_no_notification(content: bytes) -> None:
    assert find_notification(content) is None
    read_message(content)
