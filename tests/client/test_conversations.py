"""`davstore mail` of conversations: at the URL of a real server, and offline in a folder of its threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from davstore.cli.mail import mail as command
from davstore.client.transport import Response, Transport
from tests.client.test_mail import attached
from tests.client.test_threads import Place, mail, place, server

__all__ = ["place", "server"]  # fixtures


@pytest.fixture
def words(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options of an account with two conversations: of messages 1 and 2, and of 5."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place.ask("PUT", "1", mail(1, subject="Tea", more="Conversation-ID: tea/1\r\n"))
    answer = mail(2, 1, subject="Re: Tea", sender="Me <me@example.net>", more="Message-Direction: sent\r\n")
    place.ask("PUT", "2", answer)
    head, content = attached("plan.png", b"\x89PNG")
    picture = f"Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n{head}\r\n\r\n".encode()
    place.ask(
        "PUT",
        "5",
        mail(5, subject="\x1b[31mred").partition(b"\r\n\r\n")[0] + b"\r\n" + picture + content + b"\r\n--cut--\r\n",
    )
    (tmp_path / "password").write_text(place.server.credentials[1] + "\n")
    return [place.threads, "--user", "me", "--password-file", str(tmp_path / "password")]


def call(word: str, *words: str) -> Result:
    return CliRunner().invoke(command, [word, *words], catch_exceptions=False)


def lines(result: Result) -> list[list[str]]:
    """Return the columns of a list."""
    assert (result.exit_code, result.stderr) == (0, "")
    return [[column.strip() for column in line.split("  ") if column.strip()] for line in result.stdout.splitlines()]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of the requests that a command sends."""
    methods: list[str] = []
    ask = Transport.ask

    def note(transport: Transport, method: str, *rest: Any) -> Response:
        methods.append(method)
        return ask(transport, method, *rest)

    monkeypatch.setattr(Transport, "ask", note)
    return methods


def test_a_list_by_one_report_the_newest_first(place: Place, words: list[str], asked: list[str]) -> None:
    first, second = lines(call("list", *words, "--threads"))
    assert first[:4] == ["1 (1)", "2026-11-30 10:05", "Ann", "[31mred"]
    assert second[:4] == ["2 (1)", "2026-11-30 10:02", "Ann", "Re: Tea"]
    assert asked == ["REPORT"]
    place.ask("PROPPATCH", "5", SEEN)
    assert [line[:1] for line in lines(call("list", *words, "--threads", "--unread"))] == [["2 (1)"]]


SEEN = (
    b'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop><C:seen>T</C:seen></D:prop></D:set>'
    b"</D:propertyupdate>"
)


def test_a_conversation_is_shown_by_its_name_its_url_and_its_id(place: Place, words: list[str]) -> None:
    name = lines(call("list", *words, "--threads"))[1][-1]
    told = call("show", *words, name)
    assert told.exit_code == 0
    shown = [line for line in told.stdout.splitlines() if line]
    assert shown == [
        "--- 2026-11-30 10:01  Ann <ann@example.net>",
        "Subject: Tea",
        "text 1",
        "--- 2026-11-30 10:02  Me <me@example.net>",
        "Subject: Re: Tea",
        "text 2",
    ]
    assert call("show", *words, f"{place.threads}{name}/").stdout == told.stdout
    assert call("show", *words, "tea/1").stdout == told.stdout
    for unknown in ("tea/2", "..", "", "nobody"):
        assert call("show", *words, unknown).exit_code == 1


def test_attachments_of_a_conversation_are_named_and_saved(words: list[str], tmp_path: Path) -> None:
    name = lines(call("list", *words, "--threads"))[0][-1]
    assert "plan.png (image/png, 4 bytes)" in call("show", *words, name).stdout
    assert call("show", *words, name, "--save", str(tmp_path / "saved")).exit_code == 0
    assert (tmp_path / "saved" / "plan.png").read_bytes() == b"\x89PNG"


def test_a_whole_conversation_is_marked_by_one_request(words: list[str], asked: list[str]) -> None:
    done = call("mark", *words, "tea/1", "--seen", "--keyword", "work")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (asked.count("POST"), asked.count("PROPPATCH")) == (1, 0)
    assert lines(call("list", *words, "--threads"))[1][0] == "2"
    assert call("show", *words, "tea/1").stdout.count("(seen, work)") == 2


def test_a_server_without_that_request_is_told_one_by_one(
    words: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Transport.ask  # a method that the server does not have stands for one that another does not have
    monkeypatch.setattr(
        Transport, "ask", lambda way, method, *rest: ask(way, "BIND" if method == "POST" else method, *rest)
    )
    assert call("mark", *words, "tea/1", "--seen").exit_code == 0
    assert (asked.count("BIND"), asked.count("PROPPATCH")) == (1, 2)
    assert lines(call("list", *words, "--threads"))[1][0] == "2"


@pytest.mark.parametrize(
    ("word", "options"),
    [("list", []), ("list", ["--threads", "--flagged"]), ("show", ["tea/1", "--raw"]), ("mark", ["tea/1"])],
)
def test_wrong_calls_end_with_a_usage(words: list[str], word: str, options: list[str]) -> None:
    assert call(word, *words, *options).exit_code == 2


def test_what_holds_no_conversations_says_so(place: Place, words: list[str]) -> None:
    folders = call("list", place.server.url, *words[1:], "--threads")
    assert (folders.exit_code, "holds no conversations" in folders.stderr) == (1, True)
    assert call("list", place.threads, "--threads").exit_code == 2


def test_conversations_in_a_folder_need_no_network(place: Place, words: list[str], tmp_path: Path) -> None:
    device = place.device()
    device.states = tmp_path / "state" / "davstore" / "sync"
    assert device.sync() == 0
    _, second = lines(call("list", str(device.root), "--threads"))
    assert second == ["2 (1)", "2026-11-30 10:02", "Ann, me@example.net", "Re: Tea", "2026-11-30 Ann - Tea"]
    told = call("show", str(device.root), second[-1])
    assert told.stdout == call("show", *words, "tea/1").stdout
    (file,) = {line[-1] for line in lines(call("list", str(device.root), second[-1])) if "10.01" in line[-1]}
    assert "text 1" in call("show", str(device.root), file).stdout
    assert call("mark", str(device.root), second[-1], "--seen").exit_code == 0
    assert device.sync() == 0
    assert lines(call("list", *words, "--threads"))[1][0] == "2"


def test_a_list_names_few_people_and_counts_the_others(place: Place, words: list[str], tmp_path: Path) -> None:
    crowd = ", ".join(f"P{number} <p{number}@example.net>" for number in range(30))
    head = mail(7, subject="Party", sender="Me <me@example.net>", more="Message-Direction: sent\r\n")
    place.ask("PUT", "7", head.replace(b"To: me@example.net", f"To: {crowd}".encode()))
    device = place.device()
    device.states = tmp_path / "state" / "davstore" / "sync"
    assert device.sync() == 0
    for where in (words, [str(device.root)]):
        assert lines(call("list", *where, "--threads"))[0][2] == "P0, P1, P2, 27 more"
