"""`davstore mail`: messages in a folder that `davstore sync` keeps in step, offline, and conversations at a URL."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from davstore.cli.letters import list_rows, render_time, save_part, show_attachments, show_conversation
from davstore.cli.options import FilePath
from davstore.cli.sign_in import read_password, require_closed_way, with_optional_account
from davstore.cli.terminal import as_line, as_text, fit, is_terminal, measure, share
from davstore.client import device as devices
from davstore.client.contents import Contents
from davstore.client.conversations import Conversations
from davstore.client.exit_status import NOT_TRANSFERRED, Changed, NotDone, Stop
from davstore.client.mailbox import Letter, Mailbox
from davstore.client.states import FLAG_WORDS, States, is_keyword, list_words
from davstore.model.messages import MessageFacts
from davstore.model.states import NO_CHANGE, Flag, StateChange
from davstore.protocol.http.sync_context import SyncContext
from davstore.protocol.message.words import decode_bytes

_MARKS: Final = (
    (Flag.FLAGGED, "!"),
    (Flag.ANSWERED, "R"),
    (Flag.FORWARDED, "F"),
    (Flag.DRAFT, "D"),
    (Flag.DELETED, "X"),
)
"""The letters of a list's first column, behind `N` for unread."""
_LEAST_COLUMNS: Final = 10
_FLAGS: Final = [flag for flag in Flag if flag is not Flag.READ_REPORT_SENT]  # that one is a program's to set


@click.group()
def mail() -> None:
    """List, read and mark messages in a folder that davstore sync keeps in step, also without a network.

    DIR is that folder. PATH and FOLDER are named within it, as list prints them, or from where you are. URL is that of
    the threads of a store: list --threads, show and mark know the conversations there.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class _Place(FilePath):
    """A folder, or the URL of the threads of a store, as text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path or the text."""
        is_url = isinstance(value, str) and value.startswith(("http://", "https://"))
        return value if is_url else super().convert(value, param, ctx)


def _with_source(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command DIR|URL, and call it with the mailbox or the conversations there.

    What went wrong is a line, and the exit status.
    """

    @click.argument("place", metavar="DIR|URL", type=_Place())
    @with_optional_account
    @wraps(command)
    def run(place: Path | str, user_name: str | None, password_file: Path | None, insecure: bool, **words: Any) -> None:
        problems: dict[str, str] = {}
        try:
            if isinstance(place, str):
                command(_sign_in(place, user_name, password_file, insecure=insecure), **words)
            else:
                with _open(place.resolve()) as mailbox:
                    command(mailbox, **words)
                    problems = {mailbox.here(path): reason for path, reason in mailbox.problems.items()}
        except Stop as stop:
            _say(str(stop))
            sys.exit(stop.status)
        except BrokenPipeError:
            raise  # by `head` and such: click ends quietly
        except (OSError, NotDone, Changed) as error:
            _say(str(error))
            sys.exit(NOT_TRANSFERRED)
        for path, reason in problems.items():
            _say(f"{path}: {reason}")
        if problems:
            sys.exit(NOT_TRANSFERRED)

    return run


def _sign_in(url: str, user_name: str | None, password_file: Path | None, *, insecure: bool) -> Conversations:
    if user_name is None or password_file is None:
        raise click.UsageError("a URL needs --user and --password-file")
    account, context = (user_name, read_password(password_file)), SyncContext("manual")
    conversations = Conversations(url, account, context=context, say=_say)
    require_closed_way(conversations, insecure=insecure)
    return conversations


@contextmanager
def _open(root: Path) -> Iterator[Mailbox]:
    with devices.open_state_beside(root, devices.state_directory()) as state:
        yield Mailbox(root, state)


def _say(line: str) -> None:
    click.echo(f"davstore mail: {as_line(line)}", err=True)


@mail.command("list")
@_with_source
@click.argument("where", metavar="[FOLDER]", type=FilePath(), default=".", required=False)
@click.option("--threads", is_flag=True, help="Conversations in the place of messages.")
@click.option("--unread", is_flag=True, help="Only messages that were not seen, or conversations with such.")
@click.option("--flagged", is_flag=True, help="Only flagged messages.")
def list_(source: Mailbox | Conversations, *, where: Path, threads: bool, unread: bool, flagged: bool) -> None:
    """List the messages in DIR, or in FOLDER and beneath it, the newest last.

    The columns are states, date, who sent it (of a sent one, whom to), subject and path. States are N unread,
    ! flagged, R replied, F forwarded, D draft, X deleted. On a terminal texts are cut to its width, paths never.

    With --threads list the conversations, the newest first, that the store at URL has or that DIR keeps: the number of
    messages (of unread ones), last activity, people, subject of the newest message, and the name for show and mark.
    """
    if threads:
        if flagged or where != Path():
            raise click.UsageError("--threads goes with --unread only")
        found = [one for one in source.list_conversations() if one.unread or not unread]
        lines = _render(list(list_rows(found)))
    elif isinstance(source, Conversations):
        raise click.UsageError("a URL has conversations: --threads lists them")
    else:
        letters = [
            letter
            for letter in source.list_letters(source.find(where))
            if (letter.is_unread or not unread) and (letter.states.flags & Flag.FLAGGED or not flagged)
        ]
        lines = _render([_row(letter, source.here(letter.path)) for letter in letters])
    for line in lines:
        click.echo(line)


def _row(letter: Letter, path: str) -> Sequence[str]:
    flags = letter.states.flags
    marks = ("N" if letter.is_unread else " ") + "".join(word if flags & flag else " " for flag, word in _MARKS)
    who = f"to {letter.brief.who}" if letter.brief.is_sent else letter.brief.who
    subject = letter.brief.subject or "(no subject)"
    return marks, render_time(letter.at_us), as_line(who), as_line(subject), as_line(path)


def _render(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a list: on a terminal sender and subject share what the others leave."""
    if not rows:
        return
    widths = [max(measure(row[column]) for row in rows) for column in range(5)]
    if is_terminal():
        room = shutil.get_terminal_size().columns - widths[0] - widths[1] - widths[4] - 8
        widths[2:4] = share(room, widths[2:4], _LEAST_COLUMNS)
    for row in rows:
        yield "  ".join([*map(fit, row[:4], widths[:4]), row[4]])


@mail.command()
@_with_source
@click.argument("path", metavar="PATH")
@click.option("--save", "directory", metavar="DIRECTORY", type=FilePath(), help="Save attachments there.")
@click.option("--part", "number", metavar="N", help="Only the part with this number, as N or N.M.")
@click.option("--raw", is_flag=True, help="The file as it is.")
@click.option("--mark", "seen", is_flag=True, help="Mark it as seen: to show it does not.")
def show(
    source: Mailbox | Conversations, *, path: str, directory: Path | None, number: str | None, raw: bool, seen: bool
) -> None:
    """Print one message: its headers, its text, and the list of its attachments; or a conversation, the oldest first.

    With --save attachments are written to new files under names that do no harm; no file is overwritten. A part that is
    no text is printed as it is, but not to a terminal. PATH of a conversation is its folder in DIR; of one at a URL its
    name there, its URL or its conversation id.
    """
    if raw and (number is not None or directory is not None):
        raise click.UsageError("--raw is the whole file: it goes with neither --part nor --save")
    found = source.find(path)
    if isinstance(source, Conversations) or source.is_conversation(found):
        if raw or number is not None:
            raise click.UsageError("--raw and --part are of one message")
        show_conversation(source.list_messages(found), directory)
    else:
        _show_file(source, found, directory, number, raw=raw)
    if seen:
        source.mark([found], StateChange(set=Flag.SEEN))


def _show_file(mailbox: Mailbox, found: str, directory: Path | None, number: str | None, *, raw: bool) -> None:
    stamp = mailbox.stamp(found)
    if raw:
        _write(mailbox.read(found, stamp))
        return
    facts, contents = mailbox.open(found, stamp)
    if number is not None:
        _show_part(contents, number, directory)
    else:
        _show_message(facts, contents, mailbox.states_of(found, stamp), stamp.mtime_ns // 1000, directory)


def _show_message(
    facts: MessageFacts, contents: Contents, states: States, stored_us: int, directory: Path | None
) -> None:
    at_us = stored_us if facts.date_us is None else facts.date_us
    lines = {
        "From": facts.from_,
        "To": facts.to,
        "Cc": facts.cc,
        "Date": render_time(at_us),
        "Subject": facts.subject,
        "File": facts.filename,
        "States": ", ".join(list_words(*states)),
    }
    for name, value in lines.items():
        if value:
            click.echo(f"{name}: {as_line(value)}")
    click.echo(f"\n{as_text(contents.body())}".rstrip())
    show_attachments(contents, directory)


def _show_part(contents: Contents, number: str, directory: Path | None) -> None:
    part = contents.find(number)
    if part is None:
        raise Stop(NOT_TRANSFERRED, f"the message has no part {number}")
    if directory is not None:
        save_part(contents, part, directory)
    elif part.media_type.startswith("text/"):
        click.echo(as_text(contents.text(part)))
    elif is_terminal():
        raise Stop(
            NOT_TRANSFERRED, f"part {number} is {part.media_type}, no text: --save DIRECTORY writes it to a file"
        )
    else:
        _write(b"".join(contents.read(part)))


def _write(content: bytes) -> None:
    """Print bytes as they are; a terminal gets nothing that could command it."""
    if is_terminal():
        click.echo(as_text(decode_bytes(content)), nl=False)
    else:
        click.echo(content, nl=False)


def _flag_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag in reversed(_FLAGS):
        word = FLAG_WORDS[flag]
        command = click.option(f"--{word}/--un{word}", word, default=None, help=f"Set or clear {word}.")(command)
    return command


@mail.command("mark")
@_with_source
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@_flag_options
@click.option("--keyword", "added", metavar="NAME", multiple=True, help="Add a keyword.")
@click.option("--no-keyword", "dropped", metavar="NAME", multiple=True, help="Take a keyword away.")
def mark_(
    source: Mailbox | Conversations, *, paths: Sequence[str], added: Sequence[str], dropped: Sequence[str], **words: Any
) -> None:
    """Set or clear states of messages, or of all messages of a conversation. The next davstore sync sends them.

    If one PATH is not there, none is marked. Those of conversations at a URL are marked on the server.
    """
    chosen = {flag: words[FLAG_WORDS[flag]] for flag in _FLAGS}
    change = StateChange(
        sum(flag for flag, value in chosen.items() if value),
        sum(flag for flag, value in chosen.items() if value is False),
        frozenset(added),
        frozenset(dropped),
    )
    if change == NO_CHANGE:
        raise click.UsageError("no state is named")
    if both := change.added & change.dropped:
        raise click.UsageError(f"keyword {min(both)} is named twice")
    for word in sorted(change.added | change.dropped):
        if not is_keyword(word):
            raise click.UsageError(f"{as_line(word)} cannot be a keyword: it is no XML name")
    source.mark([source.find(path) for path in paths], change)
    if isinstance(source, Mailbox) and not source.is_shared:
        _say("the server has no states of messages: the marks stay on this device")
