"""`davstore sync`: keep a local folder in step with a collection of any RFC 6578 server.

Ends with 0 in step, 1 something not transferred, 2 usage or configuration, 3 safety stop, 4 refused by policy,
5 authentication, 6 network.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from davstore.cli.options import with_settings
from davstore.client import device as devices
from davstore.client.folder import Folder
from davstore.client.plan import Action, Verb
from davstore.client.remote import Remote
from davstore.client.rounds import Run
from davstore.client.stops import IN_STEP, NETWORK, NOT_TRANSFERRED, REFUSED, USAGE, Stop
from davstore.settings import Settings

QUIET = (Verb.AGREE, Verb.FORGET)


@click.command()
@with_settings
@click.argument("url")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--user", "user_name", metavar="USER", required=True, help="The name of the account.")
@click.option(
    "--password-file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Holds the password or the device's secret in its first line.",
)
@click.option("--once", is_flag=True, help="Come in step once and end.")
@click.option("--interval", metavar="SECONDS", type=click.IntRange(min=1), default=60, show_default=True)
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--force", is_flag=True, help="Go on where a safety stop would end it.")
@click.option("--manual", is_flag=True, help="Say that a person asked for it (Sync-Context).")
@click.option("--device", metavar="NAME", default=socket.gethostname, help="The name in conflict copies (this host's).")
@click.option("--verbose", is_flag=True, help="Tell each thing done.")
def sync(_settings: Settings, *, url: str, user_name: str, **words: Any) -> None:
    """Keep the folder DIR in step with the collection URL, both ways.

    A conflict keeps both versions. A missing, emptied or replaced DIR, or more than half deleted on a side, is a
    safety stop (3). With --force an emptied side or many deletions are carried out; a missing or replaced DIR is
    taken for a new device's, where nothing is deleted.
    """
    try:
        status = _sync(url, user_name, **words)
    except Stop as stop:
        _say(str(stop))
        status = stop.status
    except OSError as error:
        _say(str(error))
        status = NOT_TRANSFERRED
    sys.exit(status)


def _sync(
    url: str,
    user_name: str,
    *,
    folder: Path,
    password_file: Path,
    once: bool,
    interval: int,
    dry_run: bool,
    force: bool,
    manual: bool,
    device: str,
    verbose: bool,
) -> int:
    root = folder.resolve()
    mode = "manual" if manual else "automatic"
    remote = Remote(url, (user_name, _read_password(password_file)), mode=mode, say=_say)
    with devices.open_state(remote.url, root, devices.state_directory()) as state:
        show = _Show(verbose=verbose)
        run = Run(state.copy() if dry_run else state, Folder(root), remote, device, force=force, say=_say)
        run.tell, run.begin, run.moved = show.tell, show.begin, show.moved
        if force:
            devices.accept_root(run.folder, run.state, _say, write=not dry_run)
        if dry_run:
            return _rehearse(run)
        return _run_once(run, show) if once else _repeat(run, show, interval)


def _rehearse(run: Run) -> int:
    for action in run.rehearse():
        if action.verb not in QUIET:
            click.echo(_describe(action))
    return IN_STEP


def _run_once(run: Run, show: _Show) -> int:
    try:
        return run.synchronise()
    finally:
        show.end()


def _repeat(run: Run, show: _Show, interval: int) -> int:
    """Come in step again and again. Only what waiting can cure does not end it."""
    said = ""
    while True:
        wait = float(interval)
        try:
            in_step = _run_once(run, show) == IN_STEP
            line = f"{'in step' if in_step else 'not all is in step'}; looking again every {wait:g} s"
        except Stop as stop:
            if stop.status != NETWORK and not (stop.status == REFUSED and stop.retry_after_seconds):
                raise
            wait = max(wait, stop.retry_after_seconds or 0)
            line = f"{stop}; looking again in {wait:g} s"
        if line != said or show.did:
            _say(line)
        said = line
        run = replace(run, force=False)
        time.sleep(wait)


def _read_password(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(USAGE, f"{file}: {error}") from error
    if not lines or not lines[0]:
        raise Stop(USAGE, f"{file} holds no password")
    return lines[0]


def _say(line: str) -> None:
    click.echo(f"davstore sync: {_printable(line)}", err=True)


def _printable(text: str) -> str:
    """Return text for a terminal: names of files may hold anything."""
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def _describe(action: Action) -> str:
    there = action.other if action.verb in (Verb.MOVE_TREE, Verb.MOVE_LOCAL, Verb.MOVE_REMOTE, Verb.SET_ASIDE) else ""
    return _printable(f"{action.verb.value}: {action.path}" + (f" -> {there}" if there else ""))


def _as_size(count: int) -> str:
    """Return a number of bytes as people write it."""
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.{0 if unit == 'bytes' else 1}f} {unit}"


class _Show:
    """Tells what is done: a bar on a terminal, lines when asked for, conflicts always, and the sums at the end.

    did tells whether the last run had something to do.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._done: Counter[Verb] = Counter()
        self._bar: Any = None
        self._lock = threading.Lock()
        self.did = False

    def begin(self, actions: list[Action], count_bytes: int) -> None:
        self._close_bar()
        count = sum(action.verb not in QUIET for action in actions)
        if not count or not sys.stderr.isatty() or self._verbose:
            return
        self._left, self._moved, self._bytes = count, 0, count_bytes
        length = count + count_bytes  # what moves no bytes counts too
        self._bar = click.progressbar(
            length=length,
            label="synchronising",
            file=sys.stderr,
            item_show_func=lambda _: self._position(),
            update_min_steps=max(1, length // 500),
        )
        self._bar.render_progress()

    def _position(self) -> str:
        moved = f"{_as_size(min(self._moved, self._bytes))} of {_as_size(self._bytes)}, " if self._bytes else ""
        return f"{moved}{self._left} to do"

    def moved(self, count: int) -> None:
        """Take bytes that went, from any thread."""
        with self._lock:
            if self._bar is not None:
                self._moved += count
                self._bar.update(count)

    def tell(self, action: Action) -> None:
        if action.verb in QUIET:
            return
        self._done[action.verb] += 1
        if self._verbose:
            click.echo(_describe(action))
        elif action.verb is Verb.SET_ASIDE:
            self._close_bar()
            _say(f"conflict: {action.path} was changed on both sides; the one from here is now {action.other}")
        with self._lock:
            if self._bar is not None:
                self._left -= 1
                self._bar.update(1)

    def end(self) -> None:
        self._close_bar()
        self.did = bool(self._done)
        for verb, count in self._done.items():
            click.echo(f"{verb.value}: {count}")
        self._done.clear()

    def _close_bar(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.render_finish()
                self._bar = None
