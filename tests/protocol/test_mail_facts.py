"""Facts of mail: which field says what (RFC 5322 §3.6), and how far a broken block is read."""

from __future__ import annotations

import calendar

import pytest

from davstore.model.messages import MOST_HEADER_BYTES, PREVIEW_CHARACTERS, MessageFacts
from davstore.protocol.message.reading import read_message


def read(head: str | bytes, body: bytes = b"x") -> MessageFacts:
    raw = head if isinstance(head, bytes) else head.encode()
    found = read_message(b"Received: by a\nMIME-Version: 1.0\n" + raw + b"\n\n" + body)
    assert found is not None
    return found


def test_rfc5322_appendix_a_2() -> None:
    """The reply and the reply to it."""
    found = read(
        "From: Mary Smith <mary@example.net>\nTo: John Doe <jdoe@machine.example>\n"
        'Reply-To: "Mary Smith: Personal Account" <smith@home.example>\nSubject: Re: Saying Hello\n'
        "Date: Fri, 21 Nov 1997 10:01:10 -0600\nMessage-ID: <3456@example.net>\n"
        "In-Reply-To: <1234@local.machine.example>\nReferences: <1234@local.machine.example>"
    )
    assert found.from_ == "Mary Smith <mary@example.net>"
    assert found.to == "John Doe <jdoe@machine.example>"
    assert found.subject == "Re: Saying Hello"
    assert found.date_us == calendar.timegm((1997, 11, 21, 16, 1, 10)) * 1_000_000
    assert found.message_id == "3456@example.net"
    assert found.in_reply_to == found.references == "1234@local.machine.example"


def test_several_fields_of_addresses_are_joined_and_of_others_the_first_counts() -> None:
    found = read(
        "To: a@b\nTo: c@d\nSubject: one\nSubject: two\nMessage-ID: <1@b>\nMessage-ID: <2@b>\nCC: e@f\nBcc: g@h"
    )
    assert (found.to, found.cc, found.bcc) == ("a@b, c@d", "e@f", "g@h")
    assert (found.subject, found.message_id) == ("one", "1@b")


@pytest.mark.parametrize(
    ("raw", "message_id"),
    [
        ("<1@b>", "1@b"),
        (" 1@b ", "1@b"),
        ("(c) <1@b> (added by x@y)", "1@b"),
        ("<1\n @b>", "1@b"),
        ("<1@b", "1@b"),
        ("1@b (c)", "1@b"),
        ("<>", None),
        ("", None),
    ],
)
def test_rfc5322_3_6_4_an_id_leniently(raw: str, message_id: str | None) -> None:
    assert read(f"Message-ID: {raw}").message_id == message_id


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        ("<1@b> <2@b>\n\t<3@b>", "1@b 2@b 3@b"),
        ("<1@b>,<2@b>", "1@b 2@b"),
        ("1@b 2@b", "1@b 2@b"),
        ('Your message of "Mon, 1 Jan 2024" <1@b>', "1@b"),
        ("Your message to a@b of Monday", None),
        ("<> <1@b>", "1@b"),
    ],
)
def test_rfc5322_3_6_4_ids_in_order(raw: str, ids: str | None) -> None:
    found = read(f"References: {raw}\nIn-Reply-To: {raw}")
    assert found.references == found.in_reply_to == ids


@pytest.mark.parametrize(
    ("raw", "direction"),
    [("sent", "sent"), ("Out", "sent"), ("RECEIVED", "received"), ("in", "received"), ("up", None)],
)
def test_directions(raw: str, direction: str | None) -> None:
    assert read(f"Message-Direction: {raw}").direction == direction


@pytest.mark.parametrize(
    ("head", "subject", "body"),
    [
        ("Subject: a\nnot a field\nTo: c@d", "a", "x"),
        ("Subject: a\nTo: c@d\nthe blank line is missing", "a", "the blank line is missing\n\nx"),
        ("Subject: a\n>From x Mon Jan  1 10:00:00 2024\nTo: c@d", "a", "x"),
        ("Subject : a\nTo: c@d", "a", "x"),
        ("Subject:a\r\nTo: c@d\r\n", "a", "\nx"),
        ("SUBJECT: a\n b\n\tc\nTo: c@d", "a b c", "x"),
        ("Subject:\n a\nTo: c@d", "a", "x"),
    ],
)
def test_blocks_that_are_broken(head: str, subject: str, body: str) -> None:
    found = read(head)
    assert found.subject == subject
    assert found.to == "c@d"
    (part,) = found.parts
    content = b"Received: by a\nMIME-Version: 1.0\n" + head.encode() + b"\n\nx"
    assert content[part.start : part.stop].decode() == body


def test_what_stands_beyond_the_bound_is_no_fact() -> None:
    found = read(b"Subject: a\nX: " + b"x" * MOST_HEADER_BYTES + b"\nTo: c@d")
    assert (found.subject, found.to) == ("a", None)


@pytest.mark.parametrize(
    ("head", "body", "preview"),
    [
        ("Subject: a", b" Hello,\n\n  world \t!\n", "Hello, world !"),
        ("Content-Type: text/plain; charset=iso-8859-1", b"\xfc\x80", "ü€"),
        ("Content-Type: text/plain; charset=x-unknown", b"\xc3\xbc", "ü"),
        ("Subject: a", b"caf\xe9", "café"),
        ("Content-Transfer-Encoding: base64", b"SGVsbG8=", "Hello"),
        ("Content-Transfer-Encoding: quoted-printable", b"H=C3=BC=\nllo", "Hüllo"),
        (
            "Content-Type: text/html",
            b"<p>a</p><style>b{}</style>c<script>d()</script>&amp;<td>e</td><!-- f -->",
            "a c& e",
        ),
        ("Content-Type: text/html", b"<title>t</title><body>a<b>b</b><br>c", "ab c"),
        ("Content-Type: text/html", b"Hi&nbsp;<b>a</b> <i>b</i>\n<u>c</u><dt>d<dd>e<pre>f</pre>g", "Hi a b c d e f g"),
        ("Content-Type: text/html", b"<p>&nbsp;</p> \n", None),
        ("Content-Type: text/html", b"", None),
        ("Content-Type: image/png", b"\x89PNG", None),
        ("Content-Type: text/plain\nContent-Disposition: attachment", b"a", None),
        ("Subject: a", b"\n \n", None),
    ],
)
def test_previews(head: str, body: bytes, preview: str | None) -> None:
    assert read(head, body).preview == preview


def test_the_preview_is_of_the_first_text_that_has_one() -> None:
    head = "Content-Type: multipart/alternative; boundary=b"
    empty, html, plain = (
        b"--b\n\n \n",
        b"--b\nContent-Type: text/html\n\n<p>html\n",
        b"--b\n\nplain\n",
    )
    assert read(head, plain + html).preview == "plain"
    assert read(head, html + plain).preview == "html"
    assert read(head, empty + html).preview == "html"


def test_the_preview_is_cut() -> None:
    assert read("Subject: a", b"word " * 20_000).preview == ("word " * 60)[:PREVIEW_CHARACTERS].rstrip()
    many = "ü" * 20_000
    assert read("Content-Type: text/plain; charset=utf-8", b"a" + many.encode()).preview == "a" + many[:255]
