"""Bodies that are messages and bodies that are not: known by their first header block (RFC 5322 §2.2)."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from davstore.model.messages import MOST_HEADER_BYTES
from davstore.model.nodes import ResourceType
from davstore.protocol.message.reading import MessageReader, read_message

NO_MESSAGES = {
    "nothing": b"",
    "a photograph": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(2_000),
    "PNG": b"\x89PNG\r\n\x1a\n",
    "zip": b"PK\x03\x04From: a@b\nTo: c@d\n",
    "PDF": b"%PDF-1.7\n",
    "text": b"From: the beginning\nTo: the end\n\nWe went from A: to B: by train.\n",
    "a memo": b"To: All staff\nFrom: Bob\nDate: 12 March 2020\nSubject: Party\n\nCome!\n",
    "a memo with a subject only": b"Subject: Party\n\nCome!\n",
    "Python": b'from email import message\n\nFrom: str = "a@b.example"\nTo: str = "c@d.example"\n',
    "YAML": b"from: a@b.example\nto: c@d.example\nsubject: Welcome\ndate: 2024-01-01\n",
    "front matter": b"---\nTitle: x\nDate: 2024-01-01 10:00\nSubject: y\nFrom: a@b.example\n---\n\n# x\n",
    "MultiMarkdown": b"Title: x\nAuthor: a@b.example\nDate: 2024-01-01\nSubject: y\n\n# x\n",
    "INI": b"[mail]\nFrom: a@b.example\nTo: c@d.example\n",
    "JSON": b'{"From": "a@b.example", "To": "c@d.example"}',
    "HTTP response": b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 10:00:00 GMT\r\nContent-Type: text/html\r\n\r\n<p>",
    "HTTP headers": b"Date: Mon, 01 Jan 2024 10:00:00 GMT\r\nContent-Type: text/html\r\nServer: x\r\n\r\n<p>",
    "HTTP request": b"POST /a HTTP/1.1\r\nHost: a\r\nFrom: a@b.example\r\nContent-Type: text/plain\r\n\r\n",
    "a part": b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <a@b>\r\n\r\nPGI+\r\n",
    "calendar": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nORGANIZER:mailto:a@b.example\r\n",
    "vCard": b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A\r\nEMAIL:a@b.example\r\n",
    "SMTP log": b"220 mx.example ESMTP\nMAIL FROM:<a@b.example>\nDATA\nFrom: a@b.example\nTo: c@d.example\n",
    "mail log": b"Jan  1 10:00:00 mx postfix[1]: from=<a@b.example>, to=<c@d.example>\n",
    "CSV": b"From,To,Date,Subject\na@b.example,c@d.example,2024-01-01 10:00,Hi\n",
    "gettext": b'msgid ""\nmsgstr ""\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n',
    "Debian control": b"Package: a\nVersion: 1\nMaintainer: A <a@b.example>\nDescription: b\n c\n",
    "Debian changes": b"Format: 1.8\nDate: Mon, 01 Jan 2024 10:00:00 +0000\nSource: a\nMaintainer: A <a@b.example>\n",
    "changelog": b"a (1) unstable; urgency=low\n\n  * b\n\n -- A <a@b.example>  Mon, 01 Jan 2024 10:00:00 +0000\n",
    "package metadata": b"Metadata-Version: 2.1\nName: a\nAuthor-email: a@b.example\nSubject: x\n\nb\n",
    "git log": b"commit 1\nAuthor: A <a@b.example>\nDate:   Mon Jan 1 10:00:00 2024 +0000\n\n    b\n",
    "diff": b"--- a\n+++ b\n@@ -1 +1 @@\n-From: a@b.example\n+To: c@d.example\n",
    "XML": b'<?xml version="1.0"?>\n<mail><From>a@b.example</From></mail>',
    "an IMDN of another namespace": b'<imdn xmlns="urn:x"><message-id>1</message-id></imdn>',
    "HTML": b"<!DOCTYPE html>\n<p>From: a@b.example<br>To: c@d.example</p>",
    "headers far below": b"\n" * 10 + b"From: a@b.example\nTo: c@d.example\n\nx",
    "header names with blanks": b"The From: a@b.example\nThe To: c@d.example\n\nx",
    "UTF-16": "From: a@b.example\nTo: c@d.example\n\nx".encode("utf-16"),
}

MESSAGES = {
    "mail": b"From: a@b.example\nTo: c@d.example\n\nx",
    "old mail": b"Date: 1 Jan 80 10:00 PST\nFrom: A <a@b.example>\n\nx",
    "mail with CRLF": b"Received: from a by b; Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: x\r\n\r\nx",
    "a head alone": b"Message-ID: <a@b>\nSubject: x",
    "a draft": b"To: \nFrom: <>\nSubject: \nMIME-Version: 1.0\nContent-Type: text/plain\n\n",
    "names in lower case": b"return-path: <a@b.example>\nmessage-id: <1@b.example>\n\nx",
    "names in upper case": b"FROM: a@b.example\nSUBJECT: x\n\nx",
    "a blank before the colon": b"From : a@b.example\nSubject : x\n\nx",
    "no blank line": b"From: a@b.example\nSubject: x\nthe text begins\n",
    "mbox": b"From a@b.example Mon Jan  1 10:00:00 2024\nFrom: a@b.example\nSubject: x\n\nx",
    "mbox, quoted": b">From a@b.example Mon Jan  1 10:00:00 2024\nFrom: a@b.example\nSubject: x\n\nx",
    "a patch": b"From 0123456 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.example>\nSubject: [PATCH] x\n\n---\n",
    "a byte order mark": b"\xef\xbb\xbfFrom: a@b.example\nSubject: x\n\nx",
    "S/MIME": b"MIME-Version: 1.0\nContent-Type: application/pkcs7-mime\n\nMII=",
    "numbers in the place of addresses": b"From: tel:+15550100\nTo: sip:a@b.example\n\nx",
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_this_is_no_message(name: str) -> None:
    assert read_message(NO_MESSAGES[name]) is None


@pytest.mark.parametrize("name", MESSAGES)
def test_this_is_a_message(name: str) -> None:
    found = read_message(MESSAGES[name])
    assert found is not None
    assert found.kind is ResourceType.MESSAGE
    assert [part.number for part in found.parts] == ["1"]


@pytest.mark.parametrize("name", [*NO_MESSAGES, *MESSAGES])
@pytest.mark.parametrize("length", [0, 5_000, MOST_HEADER_BYTES + 80_000])
@pytest.mark.parametrize("size", [997, 65_536])
def test_it_says_the_same_in_blocks(name: str, length: int, size: int) -> None:
    content = {**NO_MESSAGES, **MESSAGES}[name] + b"line\n" * (length // 5)
    reader = MessageReader()
    for start in range(0, len(content), size):
        reader.feed(content[start : start + size])
    assert reader.close() == read_message(content)


def test_a_photograph_costs_nothing() -> None:
    photograph = NO_MESSAGES["a photograph"] + bytes(100_000)
    begun = time.process_time()
    for _ in range(1_000):
        read_message(photograph)
    assert time.process_time() - begun < 0.05


def test_a_large_message_is_not_held() -> None:
    """Its parts are offsets, and its reader keeps a bounded beginning of it."""
    reader = MessageReader()
    block = b"0123456789abcde\n" * 4_096
    tracemalloc.start()
    reader.feed(b"From: a@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\n\n")
    for _ in range(160):
        reader.feed(bytes(block))
    reader.feed(b"\n--b--\n")
    found = reader.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is not None
    assert found.preview == "Hello"
    assert found.parts[1].stop - found.parts[1].start == 160 * len(block)
    assert peak < 4 * (MOST_HEADER_BYTES + 64 * 1024)


PART = b"--b\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\n--" * 1_000_000,
        b"\n--b" * 1_000_000,
        b"\n--b\n\n" * 600_000,
        b"\n--b--" * 600_000,
        b"".join(PART % (number, number) for number in range(20_000)) + b"x\n" * 1_000_000,
        b"".join(b"--%d\n" % n + b"Content-Type: multipart/x; boundary=%d\n\n" % (n + 1) for n in range(64)) * 100,
        b"--b\nContent-Type: message/rfc822\n\n" * 100_000,
        b"--b\nX: y\n" + b" z\n" * 1_000_000,
        b"--b\n" + b"junk\nFrom: a\n" * 250_000,
        b" " * 4_000_000,
        b"=?a?q?" * 600_000,
        b"<" * 4_000_000,
    ],
    ids=range(12),
)
@pytest.mark.parametrize("behind", [b"Content-Type: multipart/mixed; boundary=b\n\n", b"References: ", b""])
def test_four_megabytes_of_anything_are_read_at_once(content: bytes, behind: bytes) -> None:
    begun = time.process_time()
    read_message(b"From: a@b.example\nSubject: x\n" + behind + content)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("body", [b"Subject: only\r\n\r\nbody", b"From: a@b.example\r\n\r\nbody"])
def test_one_field_is_enough_where_a_message_is_declared(body: bytes) -> None:
    assert read_message(body) is None
    facts = read_message(body, declared=True)
    assert facts is not None
    assert facts.kind is ResourceType.MESSAGE
    reader = MessageReader(declared=True)
    reader.feed(body)
    assert reader.close() == facts


def test_a_draft_with_empty_fields_is_a_message() -> None:
    assert read_message(b"From: a@b.example\r\nTo: \r\nSubject: \r\n\r\n") is not None


@pytest.mark.parametrize("body", [b"", b"plain text\r\n", b"\xff\xd8\xff\xe0", b"key: value\r\n\r\nbody"])
def test_what_has_no_field_of_mail_is_none_whatever_is_declared(body: bytes) -> None:
    assert read_message(body, declared=True) is None
