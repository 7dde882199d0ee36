"""Real mail as davstore reads it, beside the standard library's `email`: facts, parts by number, and their content."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from davstore.model.messages import MessageFacts
from davstore.protocol.message.reading import MessageReader, read_message
from davstore.protocol.message.transfer import decode
from tests import mail_oracles
from tests.mail_oracles import sample_files

GENERATED = b"""From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
To: a@example.org, "B, C" <b@example.org>
Subject: =?iso-8859-1?q?caf=E9?=
Date: Mon, 02 Mar 2020 10:00:00 +0100
Message-ID: <1@example.org>
Content-Type: multipart/mixed; boundary=x

--x

one
--x
Content-Transfer-Encoding: base64

dHdv
--x--
"""
OTHERWISE = ["encrypted-signed.eml: date"]
"""`email` passes over the PM of its hour, and the zone behind it."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return every file of the sample mail, or one that is generated where there is none."""
    generated = tmp_path_factory.mktemp("mail") / "generated.eml"
    generated.write_bytes(GENERATED)
    return [generated, *sample_files()]


def read(content: bytes) -> MessageFacts:
    """Return the facts of what must be a message."""
    facts = read_message(content)
    assert facts is not None
    return facts


def test_facts(sample: list[Path]) -> None:
    found = []
    for file in sample:
        content = file.read_bytes()
        ours, theirs = mail_oracles.told(_named(read(content))), mail_oracles.facts_of(content)
        found += [f"{file.name}: {name}" for name in mail_oracles.differences(ours, theirs)]
    there = {file.name for file in sample}
    assert sorted(found) == [one for one in OTHERWISE if one.partition(":")[0] in there]


def _named(facts: MessageFacts) -> dict[str, str | None]:
    """Return facts as the properties of a resource tell them."""
    named = {
        name.rstrip("_").replace("_", "-"): text for name, text in facts._asdict().items() if isinstance(text, str)
    }
    if facts.date_us is None:
        return dict(named)
    return {**named, "date": datetime.datetime.fromtimestamp(facts.date_us / 1e6, datetime.UTC).isoformat()}


def test_parts(sample: list[Path]) -> None:
    for file in sample:
        content = file.read_bytes()
        ours = {part.number: part for part in read(content).parts}
        theirs = mail_oracles.parts_of(content)
        assert list(ours) == list(theirs), file
        for number, part in theirs.items():
            mine = ours[number]
            assert mine.media_type == part.get_content_type(), (file, number)
            if not part.is_multipart():
                raw = content[mine.start : mine.stop]
                decoded = part.get_payload(decode=True)
                assert isinstance(decoded, bytes)
                assert _lines(b"".join(decode([raw], mine.encoding))) == _lines(decoded), (file, number)


def _lines(content: bytes) -> list[bytes]:
    """Return content without blanks at the ends of lines, which the library keeps in quoted-printable."""
    return re.split(rb"[ \t]*\r?\n", content.rstrip(b"\r\n"))


def test_mail_that_comes_in_blocks_reads_the_same(sample: list[Path]) -> None:
    for file in sample:
        content = file.read_bytes()
        reader = MessageReader()
        for start in range(0, len(content), 1_000):
            reader.feed(content[start : start + 1_000])
        assert reader.close() == read_message(content), file


def test_a_year_of_three_digits_counts_from_1900() -> None:
    """RFC 5322 §4.3; `0102` is what clocks wrote that did not know of 2002."""
    for year in ("102", "0102"):
        facts = read(f"From: a@example.org\nTo: b@example.org\nDate: Thu, 22 Aug {year} 12:07:35 +0800\n\n".encode())
        assert facts.date_us == 1_029_989_255 * 1_000_000, year


def test_text_that_breaks_its_charset_is_read_as_far_as_it_goes() -> None:
    """A character of two bytes that was cut makes no other text of the rest."""
    word = "我知道".encode("big5").hex("=").upper()
    facts = read(f"From: a@example.org\nTo: b@example.org\nSubject: =?big5?Q?re=3A={word}=B0?=\n\n".encode())
    assert facts.subject == "re:我知道\ufffd"


def test_text_behind_the_padding_of_base64_is_not_of_the_part() -> None:
    """Mailing lists put some there. RFC 2045 §6.8: padding tells of the end of the data."""
    raw = b"b25lIHRoaW5n\r\ndHdv\r\nfm91cg==\r\n_____\r\nA list of ours\r\n"
    for size in (1, 7, len(raw)):
        blocks = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert b"".join(decode(blocks, "base64")) == b"one thingtwo~our", size
