"""Messages on a terminal: attachments of one, and several of a conversation in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import click

from davstore.cli.progress import as_size
from davstore.cli.terminal import as_line, as_text
from davstore.client.contents import Contents
from davstore.client.conversations import Conversation, Message
from davstore.client.saving import safe_name, save
from davstore.client.states import list_words
from davstore.model.messages import Part

_EPOCH: Final = datetime.fromtimestamp(0).astimezone()


def render_time(at_us: int) -> str:
    """Return a time of this place, to the minute."""
    try:
        return f"{(_EPOCH + timedelta(microseconds=at_us)).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "-"


def list_rows(conversations: Iterable[Conversation]) -> Iterator[Sequence[str]]:
    """Yield the columns of a list: messages and unread ones, date, people, subject, and name."""
    for one in conversations:
        count = f"{one.messages} ({one.unread})" if one.unread else str(one.messages)
        at = "-" if one.at_us is None else render_time(one.at_us)
        subject = one.subject or "(no subject)"
        yield count, at, as_line(one.people), as_line(subject), as_line(one.name)


def show_conversation(messages: Iterable[Message], directory: Path | None) -> None:
    """Print messages with sender, time and text, a subject where it is a new one, and the attachments by number."""
    subject = None
    for message in messages:
        facts = message.facts
        words = ", ".join(list_words(*message.states))
        who = facts.from_ or "-"
        click.echo(f"--- {render_time(message.at_us)}  {as_line(who)}{f'  ({as_line(words)})' if words else ''}")
        if facts.subject and facts.subject != subject:
            subject = facts.subject
            click.echo(f"Subject: {as_line(subject)}")
        click.echo(f"\n{as_text(message.contents.body())}".rstrip())
        show_attachments(message.contents, directory)
        click.echo("")


def show_attachments(contents: Contents, directory: Path | None) -> None:
    """Print the attachments of a message by number, and save them if a directory is named."""
    attachments = contents.list_attachments()
    if attachments:
        click.echo("")
    for part in attachments:
        size = as_size(sum(map(len, contents.read(part))))
        click.echo(f"[{part.number}] {as_line(part.filename or safe_name(part))} ({as_line(part.media_type)}, {size})")
    if directory is not None:
        for part in attachments:
            save_part(contents, part, directory)


def save_part(contents: Contents, part: Part, directory: Path) -> None:
    """Write a part to a new file and name that."""
    name = save(directory, part, contents.read(part))
    click.echo(f"saved: {as_line(str(directory / name))}")
