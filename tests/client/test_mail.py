"""`davstore mail`: messages in a folder, without a network. What they hold reaches neither terminal nor other files."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import unicodedata
from base64 import b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore.cli.mail import mail
from davstore.client.device import open_state
from davstore.client.folder import Folder
from tests.acceptance.objects import PICTURE, transfer
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.cpm_bodies import GROUP_STATE, IMDN, OVER_HTTP

TEA = b"From: Anna <anna@example.org>\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nSubject: Tea\n\nAt four?\n"
SENT = (
    b"From: me@example.org\nTo: Bob <bob@example.org>, carol@example.org\nDate: Tue, 3 Nov 2026 10:00:00 +0000\n"
    b"Subject: Re: Tea\nMessage-Direction: sent\n\nYes.\n"
)
WIDE = (
    ("From: =?utf-8?b?{}?= <yuki@example.org>\nDate: Wed, 4 Nov 2026 10:00:00 +0000\nSubject: =?utf-8?b?{}?=\n\nx\n")
    .format(*(b64encode(text.encode()).decode() for text in ("雪", "お茶はいかがですか" * 9)))
    .encode()
)
HOSTILE = (
    "From: =?utf-8?q?=1B[31mEve=E2=80=AE?= <eve@example.org>\nDate: Thu, 5 Nov 2026 10:00:00 +0000\n"
    "Subject: =?utf-8?q?a=1B]0;owned=07b=9Bc?=\nContent-Type: text/plain; charset=utf-8\n\n"
    "red \x1b[31m, a bell \x07, and \x9b2J\r\u202e, at last \ufeffthe end\n"
).encode()


def related(*parts: tuple[str, bytes]) -> bytes:
    """Return a message of parts, header fields and content of each."""
    body = b"".join(b"--cut\n%b\n\n%b\n" % (head.encode(), content) for head, content in parts)
    return (
        b"From: anna@example.org\nSubject: parts\nContent-Type: multipart/mixed; boundary=cut\n\n" + body + b"--cut--\n"
    )


def attached(filename: str, content: bytes) -> tuple[str, bytes]:
    """Return an attachment of this name."""
    disposition = f'Content-Disposition: attachment; filename="{filename}"'
    return f"Content-Type: image/png\nContent-Transfer-Encoding: base64\n{disposition}", b64encode(content)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "Mail").mkdir()
    device = Device("", tmp_path / "Mail", tmp_path / "state" / "davstore" / "sync")
    for path, content in (
        ("Inbox/wide", WIDE),
        ("Inbox/tea.eml", TEA),
        ("Sent/re.eml", SENT),
        ("photo.jpg", b"\xff\xd8"),
    ):
        device.write(path, content)
    with serve(Store()) as device.url:
        assert device.sync() == 0
    return device


def call(device: Device, word: str, *words: str) -> Result:
    return CliRunner().invoke(mail, [word, str(device.root), *words], catch_exceptions=False)


def show(device: Device, content: bytes, *words: str) -> Result:
    """Show a message that came after the last run."""
    device.write("new.eml", content)
    return call(device, "show", "new.eml", *words)


# list


def test_a_list_tells_who_when_and_what_the_newest_last(device: Device) -> None:
    told = call(device, "list")
    assert (told.exit_code, told.stderr) == (0, "")
    lines = [line.split("  ") for line in told.stdout.splitlines()]
    assert [[word.strip() for word in line if word.strip()] for line in lines] == [
        ["N", "2026-11-02 10:00", "Anna", "Tea", "Inbox/tea.eml"],
        ["2026-11-03 10:00", "to Bob, carol@example.org", "Re: Tea", "Sent/re.eml"],
        ["N", "2026-11-04 10:00", "雪", "お茶はいかがですか" * 9, "Inbox/wide"],
    ]


def test_a_list_of_a_folder_and_of_states(device: Device) -> None:
    assert call(device, "list", "Sent").stdout.endswith("  Sent/re.eml\n")
    assert call(device, "list", "Sent", "--unread").stdout == ""
    assert call(device, "mark", "Inbox/tea.eml", "--seen", "--flagged", "--answered").exit_code == 0
    assert [line.split()[-1] for line in call(device, "list", "--unread").stdout.splitlines()] == ["Inbox/wide"]
    (line,) = call(device, "list", "--flagged").stdout.splitlines()
    assert line.split()[0] == "!R"
    assert call(device, "list", "Nowhere").exit_code == 1
    assert call(device, "list", "photo.jpg").exit_code == 1


def test_a_second_list_reads_only_what_changed(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    first = call(device, "list").stdout
    read: list[str] = []
    original = Folder.read
    monkeypatch.setattr(Folder, "read", lambda folder, path, local: read.append(path) or original(folder, path, local))
    assert call(device, "list").stdout == first
    assert read == []
    device.write("Inbox/tea.eml", TEA.replace(b"Tea", b"Cakes"))
    assert "Cakes" in call(device, "list").stdout
    assert read == ["Inbox/tea.eml"]


def test_a_moved_message_keeps_its_states_before_the_next_run(device: Device) -> None:
    call(device, "mark", "Inbox/tea.eml", "--flagged")
    (device.root / "Inbox/tea.eml").rename(device.root / "tea.eml")
    assert call(device, "list", "--flagged").stdout.endswith("  tea.eml\n")


def test_on_a_terminal_lines_fit_and_columns_stand_below_each_other(device: Device) -> None:
    device.write("hostile.eml", HOSTILE)
    lines = at_terminal(device, 70, "list").splitlines()
    assert len(lines) == 4
    assert max(map(width, lines)) <= 70
    places = {width(line[: line.rindex("  ")]) for line in lines}
    assert len(places) == 1
    assert not [mark for line in lines for mark in line if unicodedata.category(mark) in ("Cc", "Cf")]


def width(line: str) -> int:
    """The columns of a line, for the characters of these messages."""
    return sum(2 if unicodedata.east_asian_width(mark) == "W" else 1 for mark in line)


def at_terminal(device: Device, columns: int, word: str, *words: str) -> str:
    """Return what a person sees at a terminal."""
    terminal, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "davstore", "mail", word, str(device.root), *words],
        stdout=slave,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": str(columns), "PYTHONUTF8": "1"},
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        seen += block
    os.close(terminal)
    process.communicate()
    return seen.decode().replace("\r\n", "\n")


# show


def test_a_message_is_shown_with_its_headers_and_text(device: Device) -> None:
    told = call(device, "show", "Inbox/tea.eml")
    assert told.exit_code == 0
    assert told.stdout == "From: Anna <anna@example.org>\nDate: 2026-11-02 10:00\nSubject: Tea\n\nAt four?\n"
    assert call(device, "list", "Inbox", "--unread").stdout.count("\n") == 2
    assert call(device, "show", "Inbox/tea.eml", "--mark").exit_code == 0
    assert "States: seen\n" in call(device, "show", "Inbox/tea.eml").stdout


@pytest.mark.parametrize("words", [(), ("--raw",), ("--part", "1")])
def test_nothing_in_a_message_commands_the_terminal(device: Device, words: tuple[str, ...]) -> None:
    device.write("hostile.eml", HOSTILE)
    seen = at_terminal(device, 80, "show", "hostile.eml", *words)
    assert "at last the end" in seen
    assert not [mark for mark in seen if mark not in "\n\t" and unicodedata.category(mark) in ("Cc", "Cf")]


@pytest.mark.parametrize("content", [IMDN, GROUP_STATE, OVER_HTTP])
def test_an_object_without_parts_is_shown_by_its_facts(device: Device, content: bytes) -> None:
    shown = show(device, content)
    assert (shown.exit_code, "Date: " in shown.output) == (0, True)


def test_html_is_shown_as_text(device: Device) -> None:
    html = b"<title>no</title><p>Dear <b>Bob</b>,<br>tea &amp;\ncakes?<script>no()</script><ul><li>four<li>five</ul>"
    told = show(device, b"Subject: h\nFrom: a@example.org\nContent-Type: text/html\n\n" + html)
    assert told.stdout.partition("\n\n")[2] == "Dear Bob,\ntea & cakes?\n\n- four\n- five\n"


def test_plain_text_goes_before_html_and_attachments_are_listed(device: Device) -> None:
    parts = [
        ("Content-Type: text/plain", b"plain"),
        ("Content-Type: text/html", b"<p>html"),
        attached("tea.png", b"12345"),
    ]
    told = show(device, related(*parts))
    assert told.stdout.partition("\n\n")[2] == "plain\n\n[3] tea.png (image/png, 5 bytes)\n"
    assert show(device, related(*parts), "--part", "2").stdout == "html\n"
    assert show(device, related(*parts), "--part", "3").stdout_bytes == b"12345"
    assert show(device, related(*parts), "--part", "9").exit_code == 1


def test_the_raw_message_is_the_file(device: Device) -> None:
    assert show(device, HOSTILE, "--raw").stdout_bytes == HOSTILE


def test_of_a_file_transfer_the_file_is_attached_and_not_what_describes_it(device: Device, tmp_path: Path) -> None:
    told = show(device, transfer("chat", "f1", "Sea.jpg", PICTURE), "--save", str(tmp_path / "saved"))
    assert told.exit_code == 0
    assert [line for line in told.stdout.splitlines() if line.startswith("[")] == [
        "[2] part-2.jpg (image/jpeg, 22 bytes)"
    ]
    assert [path.read_bytes() for path in (tmp_path / "saved").iterdir()] == [PICTURE]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../up.png", "up.png"),
        ("/etc/passwd", "passwd"),
        ("C:\\\\Windows\\\\x.png", "x.png"),
        ("..", "part-1.png"),
        (".profile", "profile"),
        ("a\x07b:c?.png", "ab_c_.png"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("n" * 300 + ".png", "n" * 251 + ".png"),
        ("", "part-1.png"),
    ],
)
def test_attachments_are_saved_under_names_that_do_no_harm(
    device: Device, tmp_path: Path, given: str, name: str
) -> None:
    (tmp_path / "save").mkdir()
    before = read_tree(tmp_path).keys() | {"Mail/new.eml"}
    told = show(device, related(attached(given, b"x")), "--save", str(tmp_path / "save"))
    assert told.exit_code == 0, told.stderr
    assert read_tree(tmp_path / "save") == {name: b"x"}
    assert {path for path in read_tree(tmp_path) if not path.startswith("state/")} <= before | {f"save/{name}"}


def test_no_file_is_overwritten(device: Device, tmp_path: Path) -> None:
    save = tmp_path / "save"
    save.mkdir()
    (save / "a.png").write_bytes(b"mine")
    (save / "a (2).png").symlink_to(tmp_path / "elsewhere")
    told = show(device, related(attached("a.png", b"1"), attached("a.png", b"2")), "--save", str(save))
    assert told.exit_code == 0
    assert {path.name: path.read_bytes() for path in save.iterdir() if not path.is_symlink()} == {
        "a.png": b"mine",
        "a (3).png": b"1",
        "a (4).png": b"2",
    }
    assert not (tmp_path / "elsewhere").exists()
    assert show(device, related(attached("b.png", b"1")), "--save", str(save / "a.png")).exit_code == 1


# mark


def test_a_mark_is_idempotent_and_can_be_taken_back(device: Device) -> None:
    for _ in range(2):
        told = call(device, "mark", "Inbox/tea.eml", "--flagged", "--keyword", "work")
        assert (told.exit_code, "stay on this device" in told.stderr) == (0, True)  # it is not davstore's server
        assert "States: flagged, work\n" in call(device, "show", "Inbox/tea.eml").stdout
    call(device, "mark", "Inbox/tea.eml", "--unflagged", "--no-keyword", "work")
    assert "States" not in call(device, "show", "Inbox/tea.eml").stdout


def test_paths_are_named_from_where_a_person_is_too(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(device.root / "Inbox")
    for path in ("tea.eml", str(device.root / "Inbox" / "tea.eml"), "../Inbox/tea.eml", "Inbox/tea.eml"):
        assert call(device, "mark", path, "--seen").exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("absent.eml", "--seen"), 1, "absent.eml: there is no such file in "),
        (("Inbox", "--seen"), 1, "Inbox is no file"),
        (("..", "--seen"), 1, ".. is not in "),
        (("/etc/passwd", "--seen"), 1, "/etc/passwd is not in "),
        (("Inbox/tea.eml",), 2, "no state is named"),
        (("Inbox/tea.eml", "--keyword", "a b"), 2, "a b cannot be a keyword"),
        (("Inbox/tea.eml", "--keyword", "a", "--no-keyword", "a"), 2, "keyword a is named twice"),
        (("Inbox/tea.eml", "--read"), 2, "No such option"),
        ((), 2, "Missing argument"),
    ],
)
def test_a_wrong_mark_is_told_and_marks_nothing(device: Device, words: tuple[str, ...], status: int, told: str) -> None:
    refused = call(device, "mark", "Inbox/wide", *words) if words and status == 1 else call(device, "mark", *words)
    assert refused.exit_code == status
    assert told in refused.stderr
    assert call(device, "list", "Inbox", "--unread").stdout.count("\n") == 2


def test_a_folder_that_was_never_synchronised_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    refused = CliRunner().invoke(mail, ["list", str(tmp_path)])
    assert refused.exit_code == 1
    assert refused.stderr == f"davstore mail: {tmp_path} was not yet synchronised by davstore sync\n"


def test_messages_are_marked_while_a_run_has_the_folder(device: Device) -> None:
    with open_state(device.url, device.root, device.states) as state:
        assert call(device, "mark", "Inbox/tea.eml", "--seen").exit_code == 0
        state.wishes.load()
        assert list(state.wishes.rows) == ["Inbox/tea.eml"]
