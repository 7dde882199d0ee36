"""`davstore mail`: the messages in a folder that `davstore sync` keeps in step, offline."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from davstore.cli.options import FilePath
from davstore.cli.progress import as_size
from davstore.cli.terminal import as_line, as_text, fit, is_terminal, measure, share
from davstore.client import device as devices
from davstore.client.contents import Contents
from davstore.client.exit_status import NOT_TRANSFERRED, Stop
from davstore.client.mailbox import Letter, Mailbox
from davstore.client.saving import safe_name, save
from davstore.client.states import FLAG_WORDS, States, is_keyword, list_words
from davstore.model.messages import MessageFacts, Part
from davstore.model.states import NO_CHANGE, Flag, StateChange
from davstore.protocol.message.words import decode_bytes

_EPOCH: Final = datetime.fromtimestamp(0).astimezone()
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

    DIR is that folder. PATH and FOLDER are named within it, as list prints them, or from where you are.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _with_mailbox(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command DIR, and call it with its mailbox; what went wrong is a line, and the exit status."""

    @click.argument("folder", metavar="DIR", type=FilePath())
    @wraps(command)
    def run(folder: Path, **words: Any) -> None:
        try:
            with _open(folder.resolve()) as mailbox:
                command(mailbox, **words)
        except Stop as stop:
            _say(str(stop))
            sys.exit(stop.status)
        except BrokenPipeError:
            raise  # by `head` and such: click ends quietly
        except OSError as error:
            _say(str(error))
            sys.exit(NOT_TRANSFERRED)
        for path, reason in mailbox.problems.items():
            _say(f"{path}: {reason}")
        if mailbox.problems:
            sys.exit(NOT_TRANSFERRED)

    return run


@contextmanager
def _open(root: Path) -> Iterator[Mailbox]:
    with devices.open_state_beside(root, devices.state_directory()) as state:
        yield Mailbox(root, state)


def _say(line: str) -> None:
    click.echo(f"davstore mail: {as_line(line)}", err=True)


@mail.command("list")
@_with_mailbox
@click.argument("where", metavar="[FOLDER]", type=FilePath(), default=".", required=False)
@click.option("--unread", is_flag=True, help="Only messages that were not seen.")
@click.option("--flagged", is_flag=True, help="Only flagged messages.")
def list_(mailbox: Mailbox, *, where: Path, unread: bool, flagged: bool) -> None:
    """List the messages in DIR, or in FOLDER and beneath it, the newest last.

    The columns are states, date, who sent it (of a sent one, whom to), subject and path. States are N unread,
    ! flagged, R replied, F forwarded, D draft, X deleted. On a terminal texts are cut to its width, paths never.
    """
    letters = [
        letter
        for letter in mailbox.list_letters(mailbox.find(where))
        if (letter.is_unread or not unread) and (letter.states.flags & Flag.FLAGGED or not flagged)
    ]
    for line in _render([_row(letter) for letter in letters]):
        click.echo(line)


def _row(letter: Letter) -> Sequence[str]:
    flags = letter.states.flags
    marks = ("N" if letter.is_unread else " ") + "".join(word if flags & flag else " " for flag, word in _MARKS)
    who = f"to {letter.brief.who}" if letter.brief.is_sent else letter.brief.who
    subject = letter.brief.subject or "(no subject)"
    return marks, render_time(letter.at_us), as_line(who), as_line(subject), as_line(letter.path)


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


def render_time(at_us: int) -> str:
    """Return a time of this place, to the minute."""
    try:
        return f"{(_EPOCH + timedelta(microseconds=at_us)).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "-"


@mail.command()
@_with_mailbox
@click.argument("path", metavar="PATH", type=FilePath())
@click.option("--save", "directory", metavar="DIRECTORY", type=FilePath(), help="Save attachments there.")
@click.option("--part", "number", metavar="N", help="Only the part with this number, as N or N.M.")
@click.option("--raw", is_flag=True, help="The file as it is.")
@click.option("--mark", "seen", is_flag=True, help="Mark it as seen: to show it does not.")
def show(mailbox: Mailbox, *, path: Path, directory: Path | None, number: str | None, raw: bool, seen: bool) -> None:
    """Print one message: its headers, its text, and the list of its attachments.

    With --save attachments are written to new files under names that do no harm; no file is overwritten. A part that is
    no text is printed as it is, but not to a terminal.
    """
    if raw and (number is not None or directory is not None):
        raise click.UsageError("--raw is the whole file: it goes with neither --part nor --save")
    found = mailbox.find(path)
    stamp = mailbox.stamp(found)
    if raw:
        _write(mailbox.read(found, stamp))
    else:
        facts, contents = mailbox.open(found, stamp)
        if number is not None:
            _show_part(contents, number, directory)
        else:
            _show_message(facts, contents, mailbox.states_of(found, stamp), stamp.mtime_ns // 1000, directory)
    if seen:
        mailbox.mark([found], StateChange(set=Flag.SEEN))


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
    attachments = contents.list_attachments()
    if attachments:
        click.echo("")
    for part in attachments:
        size = as_size(sum(map(len, contents.read(part))))
        click.echo(f"[{part.number}] {as_line(part.filename or safe_name(part))} ({as_line(part.media_type)}, {size})")
    if directory is not None:
        for part in attachments:
            _save(contents, part, directory)


def _show_part(contents: Contents, number: str, directory: Path | None) -> None:
    part = contents.find(number)
    if part is None:
        raise Stop(NOT_TRANSFERRED, f"the message has no part {number}")
    if directory is not None:
        _save(contents, part, directory)
    elif part.media_type.startswith("text/"):
        click.echo(as_text(contents.text(part)))
    elif is_terminal():
        raise Stop(
            NOT_TRANSFERRED, f"part {number} is {part.media_type}, no text: --save DIRECTORY writes it to a file"
        )
    else:
        _write(b"".join(contents.read(part)))


def _save(contents: Contents, part: Part, directory: Path) -> None:
    name = save(directory, part, contents.read(part))
    click.echo(f"saved: {as_line(str(directory / name))}")


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
@_with_mailbox
@click.argument("paths", metavar="PATH...", type=FilePath(), nargs=-1, required=True)
@_flag_options
@click.option("--keyword", "added", metavar="NAME", multiple=True, help="Add a keyword.")
@click.option("--no-keyword", "dropped", metavar="NAME", multiple=True, help="Take a keyword away.")
def mark_(
    mailbox: Mailbox, *, paths: Sequence[Path], added: Sequence[str], dropped: Sequence[str], **words: Any
) -> None:
    """Set or clear states of messages. The next davstore sync sends them.

    If one PATH is not there, none is marked.
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
    mailbox.mark([mailbox.find(path) for path in paths], change)
    if not mailbox.is_shared:
        _say("the server has no states of messages: the marks stay on this device")
