"""The message headers of `message/cpim`: RFC 3862 by section, and RFC 5438 §6 for the names of notifications."""

from __future__ import annotations

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.http.timestamps import parse_timestamp
from davstore.protocol.message.cpim import CpimHead, find_cpim
from tests.cpm_bodies import CPIM

OUTER = b"Content-Type: Message/CPIM\r\n\r\n"
INNER = b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello"
BASE = b"From: <im:a@example.com>\r\nTo: <im:b@example.com>\r\n"

TOLERANT = CPIM.replace(b"Require: MyFeatures.VitalMessageOption\r\n", b"")


def read(*headers: str, start: bytes = OUTER) -> CpimHead:
    """Return the head of a CPIM with From, To and these headers."""
    content = start + BASE + "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + INNER
    found = find_cpim(content, len(start))
    assert found is not None
    assert content[found.inner_start :] == INNER
    return found


def micros(*moment: int) -> int:
    """Return a time of UTC in microseconds since the epoch."""
    return calendar.timegm(moment) * 1_000_000


@pytest.mark.parametrize("outer", [b"", OUTER, b"Content-Type: message/cpim\n\n"])
@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
def test_rfc3862_5_1_the_example(outer: bytes, line: bytes) -> None:
    content = outer + TOLERANT.replace(b"\r\n", line)
    found = find_cpim(content, len(outer))
    assert found is not None
    assert found.fields == {
        "from_": "MR SANDERS <im:piglet@100akerwood.com>",
        "to": "Depressed Donkey <im:eeyore@100akerwood.com>",
        "subject": "the weather will be fine today",
    }
    assert found.date_us == micros(2000, 12, 13, 21, 40, 0)
    assert content[found.inner_start :].startswith(b"Content-type: text/xml; charset=utf-8")


@pytest.mark.parametrize("outer", [b"", OUTER])
def test_rfc3862_3_5_what_is_required_and_unknown_leaves_the_headers_uninterpreted(outer: bytes) -> None:
    found = find_cpim(outer + CPIM, len(outer))
    assert found is not None
    assert (found.fields, found.date_us) == ({}, None)
    assert (outer + CPIM)[found.inner_start :].startswith(b"Content-type: text/xml")


@pytest.mark.parametrize(
    "headers",
    [
        ("Require: Subject,DateTime, cc",),
        ("NS: imdn <urn:ietf:params:imdn>", "Require: imdn.Disposition-Notification"),
        ("NS: x <urn:ietf:params:imdn>", "Require: x.Message-ID"),
        ("NS: c <urn:ietf:params:cpim-headers:>", "Require: c.Subject"),
        ("Requires: Unknown",),
    ],
)
def test_rfc3862_3_5_what_is_required_and_known(headers: tuple[str, ...]) -> None:
    assert read(*headers).fields["from_"] == "<im:a@example.com>"


@pytest.mark.parametrize(
    "headers",
    [
        ("Require: Unknown",),
        ("Require: subject",),
        ("Require: Subject,x.y",),
        ("Require:",),
        ("NS: imdn <urn:x>", "Require: imdn.Message-ID"),
        ("NS: <urn:x>", "Require: Subject"),
        ("NS: <urn:x>", "NS: p <urn:ietf:params:cpim-headers:>", "p.Require: p.Unknown"),
    ],
)
def test_rfc3862_3_5_what_is_required_and_not_known(headers: tuple[str, ...]) -> None:
    found = read("DateTime: 2000-12-13T13:40:00Z", *headers)
    assert (found.fields, found.date_us) == ({}, None)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"\\", "\\"),
        (r"\"a\" and \'b\'", "\"a\" and 'b'"),
        (r"Gr\u00fc\u00DFe", "Grüße"),
        (r"a\ud83d\ude00b", "a😀b"),
        (r"a\ud83db", "a\ufffdb"),
        (r"a\ude00\ud83db", "a\ufffd\ufffdb"),
        (r"a\tb\r\nc", "a b c"),
        (r"a\u0000b", "ab"),
        (r"a\u00g0\x41\u004", r"a\u00g0\x41\u004"),
        (r"\\u0041", r"\u0041"),
        ("Grüße", "Grüße"),
        ("a\\", "a\\"),
    ],
)
def test_rfc3862_2_3_escapes(sent: str, meant: str) -> None:
    assert read(f"Subject: {sent}").fields["subject"] == meant


def test_rfc3862_2_2_what_is_not_utf8_is_windows_1252() -> None:
    found = find_cpim(OUTER + BASE + b"Subject: Gr\xfc\xdfe\r\ncc: \xc3\xa4 <im:c@d>\r\n\r\n" + INNER, len(OUTER))
    assert found is not None
    assert (found.fields["subject"], found.fields["cc"]) == ("Grüße", "ä <im:c@d>")


def test_rfc3862_3_1_names_are_case_sensitive() -> None:
    found = read("from: <im:x@y>", "TO: <im:x@y>", "CC: <im:x@y>", "SUBJECT: x", "Datetime: 2000-12-13T13:40:00Z")
    assert found == ({"from_": "<im:a@example.com>", "to": "<im:b@example.com>"}, None, found.inner_start)


@pytest.mark.parametrize(
    ("subjects", "meant"),
    [
        (["Subject: plain", "Subject:;lang=fr tagged"], "plain"),
        (["Subject:;lang=fr tagged", "Subject: plain", "Subject: second"], "plain"),
        (["Subject:;lang=fr first", "Subject:;lang=de second"], "first"),
        (['Subject:;x="a \\" b;lang=fr";y=1 value'], "value"),
        (["Subject:plain"], "plain"),
        (["Subject: ;lang=fr"], ";lang=fr"),
        (["Subject:", "Subject: second"], "second"),
    ],
)
def test_rfc3862_3_3_4_5_subjects_in_languages(subjects: list[str], meant: str) -> None:
    assert read(*subjects).fields["subject"] == meant


def test_rfc3862_4_2_4_3_several_recipients() -> None:
    found = read("To: Tigger <im:t@example.com>", "cc: <im:c@example.com>", "cc:;x=1 D <im:d@example.com>")
    assert found.fields["to"] == "<im:b@example.com>, Tigger <im:t@example.com>"
    assert found.fields["cc"] == "<im:c@example.com>, D <im:d@example.com>"


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        (["NS: imdn <urn:ietf:params:imdn>", "imdn.Message-ID: 34jk324j"], "34jk324j"),
        (["NS: any <urn:ietf:params:imdn>", "any.Message-ID: 34jk324j"], "34jk324j"),
        (["imdn.Message-ID: 34jk324j"], "34jk324j"),
        (["imdn.Message-ID: <34jk324j>"], "34jk324j"),
        (["IMDN-Message-ID: 34jk324j"], "34jk324j"),
        (["NS: <urn:ietf:params:imdn>", "Message-ID: 34jk324j"], "34jk324j"),
        (["NS: imdn <urn:other>", "imdn.Message-ID: 34jk324j"], None),
        (["NS: Imdn <urn:ietf:params:imdn>", "iMDN.Message-ID: 34jk324j"], None),
        (["any.Message-ID: 34jk324j", "NS: any <urn:ietf:params:imdn>"], None),
        (["Message-ID: 34jk324j"], None),
    ],
)
def test_rfc3862_3_4_rfc5438_6_3_names_in_namespaces(headers: list[str], meant: str | None) -> None:
    assert read(*headers).fields.get("imdn_message_id") == meant


def test_rfc3862_3_4_names_without_a_prefix_can_be_in_another_namespace() -> None:
    found = read("NS: <urn:x>", "Subject: of something else", "NS: p <urn:ietf:params:cpim-headers:>", "p.Subject: s")
    assert found.fields["subject"] == "s"


def test_ids_of_conversations_stand_in_a_bare_cpim_too() -> None:
    found = read(
        "NS: x <urn:x>", "Conversation-ID: f81d4fae", "Contribution-ID: abc", "InReplyTo-Contribution-ID: 0", start=b""
    )
    assert found.fields["conversation_id"] == "f81d4fae"
    assert found.fields["contribution_id"] == "abc"
    assert found.fields["in_reply_to_contribution_id"] == "0"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1985-04-12T23:20:50.52Z", micros(1985, 4, 12, 23, 20, 50) + 520_000),
        ("1996-12-19T16:39:57-08:00", micros(1996, 12, 20, 0, 39, 57)),
        ("1990-12-31T23:59:60Z", micros(1991, 1, 1, 0, 0, 0)),
        ("1990-12-31T15:59:60-08:00", micros(1991, 1, 1, 0, 0, 0)),
        ("1937-01-01T12:00:27.87+00:20", micros(1937, 1, 1, 11, 40, 27) + 870_000),
        ("2000-02-29t10:10:10z", micros(2000, 2, 29, 10, 10, 10)),
        ("2000-02-29T10:10:10-00:00", micros(2000, 2, 29, 10, 10, 10)),
        ("2000-02-29 10:10:10,1234567+0100", micros(2000, 2, 29, 9, 10, 10) + 123_456),
        ("2000-02-29T10:10:10", micros(2000, 2, 29, 10, 10, 10)),
    ],
)
def test_rfc3339_5_6_5_8_timestamps(text: str, moment: int) -> None:
    assert parse_timestamp(text) == moment
    assert read(f"DateTime: {text}", "DateTime: 2020-01-01T00:00:00Z").date_us == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "abcd", "2001-02-29T10:10:10Z", "2000-13-01T10:10:10Z", "2000-01-01T24:00:00Z", "2000-01-01T10:60:00Z"),
        *(
            "2000-01-01T10:00:61Z",
            "2000-01-01",
            "2000-01-01T10:00Z",
            "2000-01-01T10:00:00+24:00",
            "٢٠٠٠-01-01T10:00:00Z",
        ),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2000-01-01T10:00:00Z x"),
        *("Wed, 13 Dec 2000 13:40:00 -0800", "2000-01-01T10:00:00+01:60"),
    ],
)
def test_rfc3339_5_6_what_is_no_timestamp(text: str) -> None:
    assert parse_timestamp(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("mar., 29 09 2015 11:09:20.826 +0200", micros(2015, 9, 29, 9, 9, 20)),
        ("Wed, 13 Dec 2000 13:40:00 -0800", micros(2000, 12, 13, 21, 40, 0)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_rfc3862_4_4_a_time_that_is_no_timestamp(text: str, moment: int | None) -> None:
    assert read(f"DateTime: {text}").date_us == moment


MAILS = [
    b"From: a@example.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
    b"From: A <a@example.com>\r\nTo: B <b@example.com>\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
    b"From: <im:a@x>\r\nTo: <im:b@x>\r\nDate: Thu, 1 Jan 1970 00:00:00 GMT\r\n\r\nContent-Type: a/b\r\n\r\n",
    b"From: <im:a@x>\r\nTo: <im:b@x>\r\nMESSAGE-ID: <a@b>\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
    b"Received: by x\r\nNS: x <urn:x>\r\nFrom: a\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
    b"From: tel:+1555\r\nTo: tel:+1556\r\nContent-Type: text/plain\r\n\r\nHello",
    b"From: <tel:+1555>\r\nTo: <tel:+1556>\r\nContent-Type: text/plain\r\n\r\nHello",
    b"From: <im:a@x>\r\nTo: <im:b@x>\r\nSubject: folded\r\n here\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
]


@pytest.mark.parametrize("mail", MAILS)
def test_rfc5322_a_mail_stays_a_mail(mail: bytes) -> None:
    assert find_cpim(mail, 0) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\nContent-Type: text/plain\r\n\r\n",
        BASE,
        BASE + b"\r\n",
        BASE + b"\r\nHello",
        BASE + b"\r\nSubject: x\r\n\r\nContent-Type: text/plain",
        BASE + b"\r\nHello\r\nContent-Type: text/plain\r\n\r\n",
        BASE + b"no header\r\n\r\n" + INNER,
        b"To: <im:b@example.com>\r\nDateTime: 2000-12-13T13:40:00Z\r\n\r\n" + INNER,
        b"From: <im:b@example.com>\r\n\r\n" + INNER,
        b"from: <im:b@example.com>\r\nTo: <im:b@example.com>\r\n\r\n" + INNER,
        OUTER + BASE + b"\r\n" + INNER,
    ],
)
def test_rfc3862_2_what_is_no_bare_cpim(content: bytes) -> None:
    assert find_cpim(content, 0) is None


@pytest.mark.parametrize(
    "headers",
    [
        b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <tel:+15550100>\r\n",
        b"From: anonymous\r\nDateTime: 2000-12-13T13:40:00Z\r\n",
        b"From: a@example.com\r\nTo: b@example.com\r\nNS: imdn <urn:ietf:params:imdn>\r\n",
    ],
)
def test_rfc3862_2_a_bare_cpim(headers: bytes) -> None:
    for inner in (INNER, INNER.upper(), b"Content-ID: <1>\n" + INNER, b"Content-Type: text/plain\r\n\r\n"):
        found = find_cpim(headers + b"\r\n" + inner, 0)
        assert found is not None
        assert found.inner_start == len(headers) + 2


def test_a_missing_blank_line_before_the_inner_headers() -> None:
    dated = BASE + b"DateTime: 2000-12-13T13:40:00Z\r\n"
    for outer, headers in ((b"", dated), (OUTER, dated), (OUTER, BASE)):
        found = find_cpim(outer + headers + INNER, len(outer))
        assert found is not None
        assert found.inner_start == len(outer + headers)
        assert found.fields["to"] == "<im:b@example.com>"


def test_behind_an_outer_block_lines_that_are_no_headers_do_not_count() -> None:
    found = find_cpim(OUTER + b"?\r\n folded\r\n" + BASE + b":\r\n\r\n" + INNER, len(OUTER))
    assert found is not None
    assert found.fields == {"from_": "<im:a@example.com>", "to": "<im:b@example.com>"}


def test_behind_an_outer_block_there_may_be_no_headers_at_all() -> None:
    assert find_cpim(OUTER + b"\r\n" + INNER, len(OUTER)) == ({}, None, len(OUTER) + 2)
    for content in (INNER, b"", b"Hello\r\n\r\nHello", BASE):
        assert find_cpim(OUTER + content, len(OUTER)) is None


CAP = 256 * 1024


@pytest.mark.parametrize(
    "piece",
    [
        b"To: <im:b@c>\r\n",
        b"a:\n",
        b";",
        b"a:;",
        b'a:;"',
        b"\\u0041",
        b"NS: a <b>\n",
        b"Require: a.b,",
        b"\n ",
        b"<a",
        b"\\",
        b"a",
    ],
)
def test_long_heads_take_linear_time(piece: bytes) -> None:
    for start, before in ((0, BASE), (len(OUTER), OUTER + BASE)):
        for size in (CAP, 4 * CAP):
            begun = time.process_time()
            find_cpim(before + b"NS: x <y>\r\nSubject:" + piece * (size // len(piece)) + b"\r\n\r\n" + INNER, start)
            assert time.process_time() - begun < 2


def test_a_head_longer_than_the_cap_is_no_cpim() -> None:
    content = OUTER + BASE + b"Subject: " + b"x" * CAP + b"\r\n\r\n" + INNER
    assert find_cpim(content, len(OUTER)) is None


def test_a_long_value_is_cut() -> None:
    found = read("Subject: " + "x" * 70_000, *["To: <im:b@example.com>"] * 5_000)
    assert len(found.fields["subject"]) == 64 * 1024
    assert len(found.fields["to"]) <= 64 * 1024


PIECES = (
    BASE,
    INNER,
    OUTER,
    b"NS: x <y>\n",
    b"\r\n",
    b"\n",
    b"Subject:;lang=a ",
    b"\\ud800",
    b"\xff",
    b":",
    b"\0",
    b";",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_bytes_have_an_answer(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    for start in (0, min(3, len(content))):
        found = find_cpim(content, start)
        if found is not None:
            assert start < found.inner_start <= len(content)
            for value in found.fields.values():
                assert value
                value.encode()
