"""The structure of messages: RFC 2046, and the numbers of RFC 9051 §6.4.5."""

from __future__ import annotations

import email

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davstore.model.messages import MOST_DEPTH, MOST_HEADER_BYTES, MOST_PART_CHARACTERS, MOST_PARTS, Part
from davstore.protocol.message import parts as scanner
from davstore.protocol.message.head import Head, find_blank, read_head
from davstore.protocol.message.parts import Structure
from davstore.protocol.message.reading import read_message
from davstore.protocol.message.sampling import Sampler

FIELDS = b"From: a@b.example\nSubject: s\n"


def read(body: str, *, top: str = "multipart/mixed; boundary=b") -> tuple[bytes, tuple[Part, ...]]:
    content = FIELDS + f"Content-Type: {top}\n\n{body}".encode()
    found = read_message(content)
    assert found is not None
    return content, found.parts


def contents(body: str, *, top: str = "multipart/mixed; boundary=b") -> dict[str, str]:
    content, parts = read(body, top=top)
    return {part.number: content[part.start : part.stop].decode() for part in parts}


def types(body: str, *, top: str = "multipart/mixed; boundary=b") -> dict[str, str]:
    return {part.number: part.media_type for part in read(body, top=top)[1]}


RFC2046_5_1_1 = """\
This is the preamble.  It is to be ignored.
--simple boundary

This is implicitly typed plain US-ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain US-ASCII text.
It DOES end with a linebreak.

--simple boundary--

This is the epilogue.  It is also to be ignored.
"""


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_rfc2046_5_1_1_example(line_break: str) -> None:
    body = RFC2046_5_1_1.replace("\n", line_break)
    assert contents(body, top='multipart/mixed; boundary="simple boundary"') == {
        "1": f"This is implicitly typed plain US-ASCII text.{line_break}It does NOT end with a linebreak.",
        "2": f"This is explicitly typed plain US-ASCII text.{line_break}It DOES end with a linebreak.{line_break}",
    }


RFC9051_6_4_5 = """\
--b
Content-Type: text/plain

1
--b
Content-Type: application/octet-stream

2
--b
Content-Type: message/rfc822

Subject: s
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: text/plain

3.1
--c
Content-Type: application/octet-stream

3.2
--c--
--b
Content-Type: multipart/mixed; boundary=d

--d
Content-Type: image/gif

4.1
--d
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=e

--e
Content-Type: text/plain

4.2.1
--e
Content-Type: multipart/alternative; boundary=f

--f
Content-Type: text/plain

4.2.2.1
--f
Content-Type: text/richtext

4.2.2.2
--f--
--e--
--d--
--b--
"""


def test_rfc9051_6_4_5_numbers() -> None:
    assert types(RFC9051_6_4_5) == {
        "1": "text/plain",
        "2": "application/octet-stream",
        "3": "message/rfc822",
        "3.1": "text/plain",
        "3.2": "application/octet-stream",
        "4": "multipart/mixed",
        "4.1": "image/gif",
        "4.2": "message/rfc822",
        "4.2.1": "text/plain",
        "4.2.2": "multipart/alternative",
        "4.2.2.1": "text/plain",
        "4.2.2.2": "text/richtext",
    }
    leaves = {number: text for number, text in contents(RFC9051_6_4_5).items() if number == text}
    assert set(leaves) == {"1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"}


def test_part_1_of_a_message_without_parts_is_its_body() -> None:
    assert contents("text\n", top="text/plain") == {"1": "text\n"}
    assert types("a\n\nb", top="message/rfc822") == {"1": "message/rfc822", "1.1": "text/plain"}
    assert types("x", top="message/imdn+xml") == {"1": "message/imdn+xml"}
    assert types("--b\n\nx", top="message/partial; boundary=b") == {"1": "message/partial"}


def test_rfc2046_5_1_5_digest() -> None:
    body = "--b\n\nSubject: a\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n"
    assert types(body, top="multipart/digest; boundary=b") == {
        "1": "message/rfc822",
        "1.1": "text/plain",
        "2": "text/plain",
    }
    assert contents(body, top="multipart/digest; boundary=b")["1.1"] == "one"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("--b\n\none\n--b\n\ntwo\n", {"1": "one", "2": "two\n"}),
        ("--b\n\none\n--b-- \n\n--b\n\nnot a part", {"1": "one"}),
        ("--b  \t\n\none\n--b--", {"1": "one"}),
        ("--b\n\n--b\n\n\n--b--\n", {"1": "", "2": ""}),
        ("--b\n--b\n--b--\n", {"1": "", "2": ""}),
        ("--b\nContent-Type: text/plain\n--b--\n", {"1": ""}),
        ("--b\nContent-Type: text/plain\n\n--b--\n", {"1": ""}),
        ("--b\ntext at once\nand more\n--b--\n", {"1": "text at once\nand more"}),
        ("--b\nContent-Type: text/plain\nX-Y: z\nno blank line\nA: b\n--b--\n", {"1": "no blank line\nA: b"}),
        ("--b\n\none -- --b\n --b\n--b--\n", {"1": "one -- --b\n --b"}),
        ("--b\r\n\r\none\r\n--b\n\ntwo\n--b--\r\n", {"1": "one", "2": "two"}),
        ("prologue\n--b\n\none\n--b--\nepilogue\n", {"1": "one"}),
        ("no part at all\n", {"1": "no part at all\n"}),
        ("", {"1": ""}),
        ("--b", {"1": ""}),
    ],
)
def test_broken_and_unusual_multiparts(body: str, expected: dict[str, str]) -> None:
    assert contents(body) == expected


@pytest.mark.parametrize("top", ["multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary="])
def test_a_multipart_without_boundary_is_a_leaf(top: str) -> None:
    assert contents("--b\n\none\n--b--\n", top=top) == {"1": "--b\n\none\n--b--\n"}


def test_a_boundary_of_the_outer_ends_the_inner_one() -> None:
    body = "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--c\n\nthree\n--b--\n"
    assert contents(body) == {"1": "--c\n\none", "1.1": "one", "2": "two\n--c\n\nthree"}


@pytest.mark.parametrize(("outer", "inner"), [("b", "bc"), ("bc", "b"), ("b", "b")])
def test_of_boundaries_that_begin_alike_the_longest_counts(outer: str, inner: str) -> None:
    body = f"--{outer}\nContent-Type: multipart/mixed; boundary={inner}\n\n--{inner}\n\none\n--{inner}--\n"
    body += f"--{outer}\n\ntwo\n"
    found = contents(body, top=f"multipart/mixed; boundary={outer}")
    assert {number: found[number] for number in ("1.1", "2")} == {"1.1": "one", "2": "two\n"}


def test_a_message_in_base64_is_a_leaf() -> None:
    body = "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogYQoKYg==\n--b--\n"
    assert types(body) == {"1": "message/rfc822"}


def test_rfc2045_6_4_a_multipart_has_no_encoding_of_its_own() -> None:
    head = "Content-Type: multipart/mixed; boundary=c\nContent-Transfer-Encoding: base64"
    body = f"--b\n{head}\n\n--c\n\none\n--c--\n--b--\n"
    assert [part.encoding for part in read(body)[1]] == ["7bit", "7bit"]
    assert contents(body)["1.1"] == "one"


def test_what_a_part_says_of_itself() -> None:
    body = (
        "--b\ncontent-type: Image/PNG;\n name*=utf-8''J%C3%BC.png\nContent-Transfer-Encoding: Base64 (c)\n"
        'Content-Disposition: Attachment; FileName="=?utf-8?q?J=C3=BC?=.png"\nContent-ID: <1@x>\n\niVBORw0=\n'
        "--b\nContent-Type: text/plain; charset=UTF-8\n\nx\n--b\nContent-Type: nonsense\n\nx\n--b--\n"
    )
    first, second, third = read(body)[1]
    assert first[3:] == (
        "image/png",
        "Image/PNG; name*=utf-8''J%C3%BC.png",
        None,
        "base64",
        "attachment",
        "Jü.png",
        "1@x",
    )
    assert second[3:] == ("text/plain", "text/plain; charset=UTF-8", "utf-8", "7bit", None, None, None)
    assert third[3:6] == ("text/plain", "nonsense", None)


def test_depth_number_and_headers_are_bounded() -> None:
    deep = "".join(f"--b{n:03}\nContent-Type: multipart/mixed; boundary=b{n + 1:03}\n\n" for n in range(2 * MOST_DEPTH))
    found = read(deep, top="multipart/mixed; boundary=b000")[1]
    assert max(part.number.count(".") + 1 for part in found) == MOST_DEPTH
    nested = "Content-Type: message/rfc822\n\n" * 2 * MOST_DEPTH
    assert max(part.number.count(".") + 1 for part in read(nested, top="message/rfc822")[1]) <= MOST_DEPTH + 1
    assert len(read("--b\n\nx\n" * 2 * MOST_PARTS)[1]) == MOST_PARTS
    content, (part,) = read("--b\nX: " + "x" * MOST_HEADER_BYTES + "\nContent-Type: text/html\n\ny\n--b--\n")
    assert part.media_type == "text/plain"
    assert content[: part.stop].endswith(b"\n\ny")


def test_what_a_part_says_of_itself_is_bounded() -> None:
    long = "n" * 1_200
    _, (part,) = read(
        f"--b\nContent-Type: text/{long}; charset={long}\nContent-Disposition: {long}; filename={long}\n"
        f"Content-ID: <{long}>\nContent-Transfer-Encoding: {long}\n\nx\n--b--\n"
    )
    assert (part.media_type, len(part.filename or "")) == ("text/plain", MOST_PART_CHARACTERS)
    assert max(len(str(value)) for value in part) == MOST_PART_CHARACTERS


def pieces() -> st.SearchStrategy[str]:
    lines = ["--b", "--b--", "--bc", "--bc--", "Content-Type: text/plain", "Content-Type: multipart/mixed; boundary=bc"]
    lines += ["Content-Type: multipart/digest; boundary=b", "Content-Type: message/rfc822", "", "", "text", "--"]
    return st.lists(st.tuples(st.sampled_from(lines), st.sampled_from(["\n", "\r\n"])), max_size=40).map(
        lambda found: "".join(line + end for line, end in found)
    )


@settings(deadline=None, max_examples=300)
@given(pieces(), st.integers(1, 50))
def test_blocks_of_any_size_give_the_same_parts(body: str, size: int) -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\n\n" + body.encode()
    blank = find_blank(content, 0, len(content))
    assert blank is not None
    head = read_head(content, 0, *blank)
    assert scan(content, head, len(content)) == scan(content, head, size)


def scan(content: bytes, head: Head, size: int) -> tuple[tuple[Part, ...], str | None]:
    sampler = Sampler(())
    structure = Structure(content[: head.body], head, sampler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "_GATHERED_BYTES", 1)
        for start in range(head.body, len(content), size):
            structure.feed(content[start : start + size])
    return structure.close(), sampler.preview


@settings(deadline=None)
@given(st.recursive(st.text("ab\n", max_size=20), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12))
def test_what_was_composed_is_found(tree: object) -> None:
    """The library writes the tree, and reads it with as many parts in the same order."""
    text, count = compose(tree, 0)
    content = b"From: a@b.example\nMIME-Version: 1.0\n" + text.encode()
    found = read_message(content)
    assert found is not None
    oracle = email.message_from_bytes(content)
    theirs = [part.get_payload() for part in oracle.walk() if not part.is_multipart()]
    ours = [content[part.start : part.stop].decode() for part in found.parts if part.media_type == "text/plain"]
    assert ours == theirs
    assert len(ours) == count


def compose(tree: object, level: int) -> tuple[str, int]:
    if not isinstance(tree, list):
        return f"Content-Type: text/plain\n\n{tree}", 1
    boundary = f"level-{level}-"
    inner = [compose(one, level + 1) for one in tree]
    body = "".join(f"--{boundary}\n{text}\n" for text, _ in inner)
    text = f"Content-Type: multipart/mixed; boundary={boundary}\n\n{body}--{boundary}--\n"
    return text, sum(count for _, count in inner)
