"""Mail and files in the forms of other programs: mbox, Maildir, names and states."""

from __future__ import annotations

import itertools
import mailbox
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davstore.interchange import flags, maildir, mbox, names, postmarks, windows
from davstore.interchange.items import Item, LeftOut, Outgoing
from davstore.interchange.quoting import Unquoted, each_quoted, unquote
from davstore.interchange.windows import Slice, Window
from davstore.model.states import Flag

POSTMARK = b"From joe@example.org Thu Jan  1 00:00:00 2026\n"
WITHIN = b"Subject: a\n\nHe wrote:\n\nFrom joe@example.org Thu Jan  1 00:00:00 2026\n\nend\n"
"""A message with a line like a postmark behind a blank line."""


def read(tmp_path: Path, content: bytes) -> list[bytes | str]:
    """Return the messages of an mbox, and the reasons for those that are left out."""
    file = tmp_path / "box"
    file.write_bytes(content)
    return [body(entry) if isinstance(entry, Item) else entry.reason for entry in mbox.each_message(file, ())]


def body(item: Item) -> bytes:
    """Return the bytes of an item."""
    with item.open() as stream:
        read = b"".join(iter(lambda: stream.read(7), b""))
    assert item.length is None or len(read) >= item.length
    return read[: item.length]


def with_length(message: bytes, length: int | None = None) -> bytes:
    """Return a message with a Content-Length in front."""
    told = len(message.partition(b"\n\n")[2]) if length is None else length
    return b"Content-Length: %d\n" % told + message


def cut_postmark(length: int) -> str:
    """Return why the rest of an mbox is left out that ends within a postmark, behind so many bytes of it."""
    return f"the file ends within its postmark: {POSTMARK[:length].decode()}"


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b"", []),
        (POSTMARK + b"A: b\n\nbody\n\n", [b"A: b\n\nbody\n"]),
        (POSTMARK + b"A: b\n\nbody\n", [b"A: b\n\nbody\n"]),
        (POSTMARK + b"A: b\n\nbody\n\n\n" + POSTMARK + b"C: d\n\n", [b"A: b\n\nbody\n\n", b"C: d\n"]),
        (POSTMARK + b"A: b\n\nbody\n" + POSTMARK + b"C: d\n\n", [b"A: b\n\nbody\n", b"C: d\n"]),
        (POSTMARK + POSTMARK + b"C: d\n\n", [b"", b"C: d\n"]),
        ((POSTMARK + b"A: b\n\nx\n\n").replace(b"\n", b"\r\n") * 2, [b"A: b\r\n\r\nx\r\n"] * 2),
        # mboxo: a sentence that begins with From is no postmark
        (POSTMARK + b"A: b\n\n\nFrom here on\nFrom now on, 2026\n\n", [b"A: b\n\n\nFrom here on\nFrom now on, 2026\n"]),
        # mboxrd
        (POSTMARK + b"A: b\n\n>From a\n>>From b\n> From c\n>Fr\n\n", [b"A: b\n\nFrom a\n>From b\n> From c\n>Fr\n"]),
        # mboxcl2, whose lines have no quotes
        (POSTMARK + with_length(WITHIN) + b"\n" + POSTMARK + b"C: d\n\n", [with_length(WITHIN), b"C: d\n"]),
        (POSTMARK + with_length(WITHIN), [with_length(WITHIN)]),
        (POSTMARK + with_length(WITHIN + b">From x\n") + b"\n", [with_length(WITHIN + b">From x\n")]),
        # a length that leads nowhere
        (POSTMARK + with_length(b"A: b\n\nxyz\n", 1) + b"\n" + POSTMARK + b"C: d\n\n", [
            with_length(b"A: b\n\nxyz\n", 1), b"C: d\n"]),
        (POSTMARK + with_length(b"A: b\n\nx\n", 999) + b"\n" + POSTMARK + b"C: d\n\n", [
            with_length(b"A: b\n\nx\n", 999), b"C: d\n"]),
        # an end within a message
        (POSTMARK + b"A: b\n\nx\n\n" + POSTMARK + b"C: d\n\nhal", [b"A: b\n\nx\n", "the file ends within it"]),
        (POSTMARK + with_length(b"A: b\n\nx\n", 999), ["the file ends within it"]),
        (POSTMARK + b"A: b\n\nx\n\n" + POSTMARK + b"C: d\n", [b"A: b\n\nx\n", "the file ends within it"]),
        (POSTMARK + b"A: b\n\nx\n\n" + POSTMARK, [b"A: b\n\nx\n", "the file ends within it"]),
        # an end within a postmark
        *((POSTMARK + b"A: b\n\nx\n\n" + POSTMARK[:length], [b"A: b\n\nx\n", cut_postmark(length)])
          for length in (5, 12, 20, 21, 22, 24, 25, 40, len(POSTMARK) - 1)),
        ((POSTMARK + b"A: b\n\nx\n\n" + POSTMARK[:40]).replace(b"\n", b"\r\n"), [
            b"A: b\r\n\r\nx\r\n", cut_postmark(40)]),
        (POSTMARK + with_length(WITHIN) + b"\n" + POSTMARK[:40], [with_length(WITHIN), cut_postmark(40)]),
        # an end within a line of a message that is like the beginning of a postmark
        (POSTMARK + b"A: b\n\nx\n\nFrom here on", ["the file ends within it"]),
        (POSTMARK + b"A: b\n\nx\nFrom joe", ["the file ends within it"]),
        (POSTMARK + b"A: b\n\nFrom joe", ["the file ends within it"]),
        (POSTMARK + with_length(b"A: b\n\nx\n\nFrom joe", 99), ["the file ends within it"]),
        (POSTMARK + b"A: b\n\nx\n\nFrom joe\n", [b"A: b\n\nx\n\nFrom joe\n"]),
        (b"no mbox at all\n", ["no postmark at its beginning"]),
    ],
)  # fmt: skip
def test_mbox_is_split_at_postmarks(tmp_path: Path, content: bytes, messages: list[bytes | str]) -> None:
    assert read(tmp_path, content) == messages


def test_mbox_is_split_as_python_splits_it(tmp_path: Path) -> None:
    """Where no line within a message is like a postmark, the standard library is an oracle."""
    file = tmp_path / "box"
    box = mailbox.mbox(file)
    bodies = [b"Subject: %d\n\n" % number + b"line\n" * number for number in range(60)]
    for content in bodies:
        box.add(content)
    box.flush()
    assert [box.get_bytes(key) for key in sorted(box.keys())] == read(tmp_path, file.read_bytes()) == bodies
    box.close()


@pytest.mark.parametrize(
    ("line", "at"),
    [
        (b"From - Thu Jan  1 00:00:01 2026", 1767225601),
        (b"From a@b Thu Jan 1 00:00:01 2026 +0100", 1767222001),
        (b"From a@b  Thu Jan  1 00:00:01 -0130 2026\r\n", 1767231001),
        (b"From a@b Thu Jan  1 00:00:01 UTC 2026", 1767225601),
        (b"From a@b Thu Jan  1 00:00 2026", 1767225600),
        (b'From "a b"@c Thu Jan  1 00:00:01 2026 remote from host', 1767225601),
        (b"From a@b Thu, 01 Jan 2026 00:00:01 +0000", 1767225601),
        (b"From Thu Jan  1 00:00:01 2026", 1767225601),
    ],
)
def test_a_postmark_has_a_date(line: bytes, at: int) -> None:
    assert postmarks.is_postmark(line)
    assert postmarks.find_time(line) == at * 1_000_000


@pytest.mark.parametrize(
    "line",
    [b"From here on", b"From: a@b Thu Jan  1 00:00:01 2026", b"from a@b Thu Jan  1 00:00:01 2026",
     b"From a@b Jan 2026", b"From a@b Thu Jan  1 00:00:01 2026 we met", b">From a@b Thu Jan  1 00:00:01 2026",
     b"From " + b" " * 2000 + b"Thu Jan  1 00:00:01 2026"],
)  # fmt: skip
def test_a_line_without_one_is_no_postmark(line: bytes) -> None:
    assert not postmarks.is_postmark(line)


def test_a_date_that_is_none_gives_no_time() -> None:
    assert postmarks.is_postmark(b"From a Thu Feb 31 00:00:00 2026")
    assert postmarks.find_time(b"From a Thu Feb 31 00:00:00 2026") is None


def test_states_of_an_mbox_come_from_its_fields_which_stay(tmp_path: Path) -> None:
    message = b"Status: RO\nx-status: AFT\nX-Keywords: work $Forwarded $Label1\n\nStatus: none\n"
    (tmp_path / "box").write_bytes(POSTMARK + message + b"\n")
    [item] = mbox.each_message(tmp_path / "box", ())
    assert isinstance(item, Item)
    assert body(item) == message
    assert item.states.set == Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED | Flag.DRAFT | Flag.FORWARDED
    assert item.states.added == {"work", "_x0024_Label1"}
    assert (item.modified_us, item.name) == (1767225600_000_000, None)


LINES = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"From a Thu Jan  1 00:00:00 2026\n", b"From ", b">", b"F", b"x", b"Content-Length: 3\n",
         b"Status: R\n", b"X-Davstore-Export: {}\n", b"\xff\0", b"From me\n"]
    )
).map(b"".join)  # fmt: skip
OUTGOING = st.builds(
    Outgoing,
    folder=st.just(()),
    name=st.text(st.characters(exclude_characters="/", exclude_categories=["C"]), min_size=1, max_size=40)
    .filter(names.is_legal),
    length=st.just(0),
    etag=st.just(""),
    modified_us=st.integers(0, 4_000_000_000_000_000),
    flags=st.integers(0, 127),
    keywords=st.sets(st.sampled_from(["a", "Größe", "_x0024_b", "x.y-z"])).map(lambda some: tuple(sorted(some))),
    is_mail=st.just(value=True),
    pieces=LINES.map(lambda content: lambda: iter([content[:3], content[3:]])),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(OUTGOING, max_size=4))
def test_an_exported_mbox_gives_back_all_of_it(messages: list[Outgoing]) -> None:
    """Bytes, names, times, flags and keywords, whatever the messages hold."""
    with tempfile.TemporaryDirectory() as directory:
        file, wanted = Path(directory, "box"), [b"".join(one.pieces()) for one in messages]
        whole = [one._replace(length=len(content)) for one, content in zip(messages, wanted, strict=True)]
        file.write_bytes(b"".join(piece for one in whole for piece in mbox.render_message(one)))
        items = [entry for entry in mbox.each_message(file, ()) if isinstance(entry, Item)]
        assert [body(item) for item in items] == wanted
        assert [(item.name, item.modified_us, item.states.set, item.states.added) for item in items] == [
            (one.name, one.modified_us, one.flags, frozenset(one.keywords)) for one in messages
        ]
        if messages and wanted[-1]:
            cut = file.read_bytes()[:-3]  # the last byte of the message, and the two lines behind it
            file.write_bytes(cut)
            *_, last = mbox.each_message(file, ())
            assert isinstance(last, LeftOut)


def test_an_export_that_ends_within_a_postmark_gives_the_message_before_it(tmp_path: Path) -> None:
    one = Outgoing((), "a", 8, "", 0, 0, (), is_mail=True, pieces=lambda: iter([b"A: b\n\nx\n"]))
    whole = b"".join(mbox.render_message(one))
    cut = f"the file ends within its postmark: {whole[:30].decode()}"
    assert read(tmp_path, whole + whole[:30]) == [b"A: b\n\nx\n", cut]


def test_other_programs_read_the_flags_of_an_exported_mbox(tmp_path: Path) -> None:
    states = int(Flag.SEEN | Flag.FLAGGED | Flag.ANSWERED)
    one = Outgoing((), "a", 12, "", 0, states, (), is_mail=True, pieces=lambda: iter([b"A: b\n\nbody\n\n"]))
    (tmp_path / "box").write_bytes(b"".join(mbox.render_message(one)))
    box = mailbox.mbox(tmp_path / "box")
    [message] = box
    box.close()
    assert set(message.get_flags()) == set("ROFA")
    assert (message["A"], message.get_payload()) == ("b", "body\n\n")


@given(LINES, st.lists(st.integers(0, 60)))
def test_quotes_are_the_same_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(content)]
    pieces = [content[start:stop] for start, stop in itertools.pairwise(at)]
    lines = content.split(b"\n")
    quoted = b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
    assert b"".join(each_quoted(pieces)) == quoted
    assert unquote(quoted) == content

    class Stream:
        def __init__(self) -> None:
            self.rest = quoted

        def read(self, size: int, /) -> bytes:
            piece, self.rest = self.rest[:size], self.rest[size:]
            return piece

    stream = Unquoted(Stream(), 3)
    assert b"".join(iter(lambda: stream.read(5), b"")) == content


def test_long_messages_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbox, "MOST_WHOLE_BYTES", 16)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 64)
    long = b"A: b\n\n" + b"some words\nFrom me to you\n" * 50
    content = b"".join(POSTMARK + b"".join(each_quoted([long])) + b"\n" for _ in range(3))
    assert read(tmp_path, content + POSTMARK + with_length(long) + b"\n") == [long] * 3 + [with_length(long)]


def test_a_window_finds_what_lies_across_its_edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW_BYTES", 8)
    file = tmp_path / "file"
    content = b"0123456789abcdef" * 3
    file.write_bytes(content)
    with file.open("rb", buffering=0) as opened:
        window = Window(opened)
        for wanted in (b"789a", b"f0", b"0123456", b"no"):
            for start in range(len(content)):
                assert window.find(wanted, start) == content.find(wanted, start)
                assert window.find(wanted, start, 20) == content.find(wanted, start, 20)
        assert [window.read(start, start + 12) for start in range(9)] == [content[at : at + 12] for at in range(9)]
        assert Slice(opened.fileno(), 3, 9).read(100) == content[3:9]


@pytest.mark.parametrize("name", ["a.eml", ".hidden", "a b", "Größe.jpg", "n" * 255, "a:b", "con"])
def test_a_legal_name_stays(name: str) -> None:
    assert names.legal_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a\nb.eml", "a/b", "caf\udce9.eml", "n" * 256 + ".eml", "\x7f", "ä" * 128]
)
def test_another_gets_a_substitute_that_is_its_own(name: str) -> None:
    found = names.legal_name(name)
    assert names.is_legal(found)
    assert found == names.legal_name(name) != names.legal_name(name + "x")
    assert found.endswith(".eml") == name.endswith(".eml")


@pytest.mark.parametrize(
    ("coded", "plain"),
    [("&U,BTFw-", "台北"), ("&ZeVnLIqe-", "日本語"), ("a&-b", "a&b"), ("Entw&APw-rfe", "Entwürfe"), ("a&AC4-b", "a.b")],
)  # the first two: RFC 3501 §5.1.3
def test_folders_of_a_maildir_have_names_in_utf7(coded: str, plain: str) -> None:
    assert (names.decode_utf7(coded), names.encode_utf7(plain)) == (plain, coded)
    assert maildir.subfolder_names(f".a.{coded}") == ("a", plain)


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20).filter(names.is_legal)))
def test_a_folder_of_a_maildir_is_found_again(folder: list[str]) -> None:
    first, *nested = maildir.subfolder_directory(tuple(folder)).parts or (".",)
    assert (*maildir.subfolder_names(first), *map(names.decode_utf7, nested)) == tuple(folder)
    assert all(len(name) <= 255 for name in (first, *nested))


@pytest.mark.parametrize("name", ["&", "&!!!-", "a&b", "&2AA-"])
def test_what_is_no_utf7_is_taken_as_it_is(name: str) -> None:
    assert names.decode_utf7(name) == name


@given(st.text(min_size=1))
def test_a_keyword_is_a_name_in_xml_and_comes_back(keyword: str) -> None:
    from lxml import etree

    if any("\ud800" <= mark <= "\udfff" for mark in keyword):
        return
    name = flags.as_name(keyword)
    etree.QName("urn:x", name)  # raises for what is no name
    assert ":" not in name
    assert flags.as_keyword(name) == keyword


@pytest.mark.parametrize(
    ("name", "is_new", "states", "keywords"),
    [
        ("1.a:2,", False, 0, set()),
        ("1.a", False, 0, set()),
        ("1.a:2,DFPRST", False, 63, set()),
        ("1.a:2,FS", True, Flag.FLAGGED, set()),
        ("1.a,S=12:2,Sab", False, Flag.SEEN, {"k0", "k1"}),
        ("1.a:2,Xz", False, 0, set()),
        ("1.a:1,S", False, 0, set()),
    ],
)
def test_flags_of_a_maildir(name: str, is_new: bool, states: int, keywords: set[str]) -> None:
    found = maildir.message_states(name, {"a": "k0", "b": "k1"}, is_new=is_new)
    assert (found.set, set(found.added)) == (states, keywords)
    assert maildir.message_name(name) == f"{name.partition(':')[0]}.eml"


def each_state() -> Iterator[int]:
    """Yield all sums of flags that a Maildir has letters for."""
    yield from range(64)


def test_each_flag_has_its_letter_and_back() -> None:
    for states in each_state():
        info = maildir.info_of(states, {}, [])
        assert maildir.message_states(f"1.a{info}", {}, is_new=False).set == states
        assert info == ":2," + "".join(sorted(info[3:]))
