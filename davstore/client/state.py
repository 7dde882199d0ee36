"""The device's memory: the agreed tree, the server's tree, the spelling of names here. One SQLite file, one device.

The trees are read once and written through, row by row, so a run may be killed anywhere: the next one compares both
sides and so finds changes that were not recorded (at worst it transfers a file twice). With `synchronous = NORMAL` a
power cut loses the last rows and never tears the file; no row is written before the file that it describes is on the
disk.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from davstore.client.draft import Parts
from davstore.client.exit_status import USAGE, Stop
from davstore.client.letters import Letters
from davstore.client.outside import Outside
from davstore.client.states import NO_STATES, States, as_change, combine, read_words, write_words
from davstore.client.titles import Titles
from davstore.client.tree import Agreed, Remote, Stamp, Tree, parent_of
from davstore.client.wishes import Wishes

UPGRADES = (
    """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS agreed (path TEXT PRIMARY KEY, folder INT NOT NULL, etag TEXT NOT NULL,
    digest TEXT NOT NULL, size INT NOT NULL, mtime_ns INT NOT NULL, inode INT NOT NULL, ctime_ns INT NOT NULL,
    hashed_ns INT NOT NULL, resource_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remote (path TEXT PRIMARY KEY, folder INT NOT NULL, etag TEXT NOT NULL,
    length INT NOT NULL, resource_id TEXT NOT NULL, seen INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spelling (path TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scope (path TEXT PRIMARY KEY, token TEXT NOT NULL, infinite INT NOT NULL,
    listing INT NOT NULL) WITHOUT ROWID;
""",
    """
CREATE TABLE left_out (place TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (path TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE mount (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE told (path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE part (path TEXT PRIMARY KEY, name TEXT NOT NULL, etag TEXT NOT NULL, bytes INT NOT NULL) WITHOUT ROWID;
""",
    """
ALTER TABLE remote ADD COLUMN flags INT NOT NULL DEFAULT 0;
ALTER TABLE remote ADD COLUMN keywords TEXT NOT NULL DEFAULT '';
CREATE TABLE wish (path TEXT PRIMARY KEY, set_flags INT NOT NULL, clear_flags INT NOT NULL, added TEXT NOT NULL,
    dropped TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE earlier (path TEXT PRIMARY KEY, flags INT NOT NULL, keywords TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE letter (path TEXT PRIMARY KEY, size INT NOT NULL, mtime_ns INT NOT NULL, inode INT NOT NULL,
    ctime_ns INT NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO refused SELECT path, token FROM scope WHERE token LIKE 'urn:davstore:sync:%';
DELETE FROM scope WHERE token LIKE 'urn:davstore:sync:%';
""",
    """
ALTER TABLE remote ADD COLUMN own INT NOT NULL DEFAULT 0;
CREATE TABLE outside (path TEXT PRIMARY KEY) WITHOUT ROWID;
""",
    """
CREATE TABLE title (path TEXT PRIMARY KEY, at TEXT NOT NULL, people TEXT NOT NULL, subject TEXT NOT NULL,
    is_sent INT NOT NULL) WITHOUT ROWID;
""",
)
"""Each brings a file to the next format, the number in its `user_version`. The first format did not write it.

The third has the states of files, which are listed once, as after a token that was refused.
"""
_SET_FORMAT = f"PRAGMA user_version = {len(UPGRADES)}"
FORGET_SERVER = tuple(
    f"DELETE FROM {table}" for table in ("remote", "scope", "left_out", "refused", "outside", "title")
)
BUSY_SECONDS = 60.0
"""The time for which `davstore mail` waits for a run that writes, and that one for it."""
STEM = "stem"
"""The fact that begins the names of this device's files in the making."""
FOLDER = "folder"
"""The fact that names the folder by a hash: its name may be no text."""


class Scope(NamedTuple):
    """A collection that is asked about by itself. listing: the number of the full listing under way, 0 when none is."""

    token: str
    infinite: bool
    listing: int


class State:
    """All that is remembered about one folder and one collection."""

    def __init__(self, file: Path | None) -> None:
        """Open the memory; None is one that ends with the process."""
        self._database = sqlite3.connect(file or ":memory:", timeout=BUSY_SECONDS, isolation_level=None)
        if file is not None:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
        self._upgrade()
        self._load()

    def _upgrade(self) -> None:
        """Bring the file to the format of now, while no other process does: `davstore mail` takes no lock."""
        if self._format() == len(UPGRADES):
            return
        with self.transaction():
            found = self._format()
            if found > len(UPGRADES):
                raise Stop(USAGE, "the state of this folder was written by a newer davstore: use that version")
            for statement in ";".join(UPGRADES[found:]).split(";"):
                self._database.execute(statement)
            self._database.execute(_SET_FORMAT)

    def _format(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def _load(self) -> None:
        self.agreed: Tree[Agreed] = Tree()
        self.remote: Tree[Remote] = Tree()
        for path, folder, etag, digest, *stat, hashed_ns, resource_id in self._database.execute("SELECT * FROM agreed"):
            stamp = Stamp(*stat)
            self.agreed.put(path, Agreed(bool(folder), etag, digest, stamp, hashed_ns, resource_id))
        for path, folder, etag, length, resource_id, _, *states, own in self._database.execute("SELECT * FROM remote"):
            self.remote.put(path, Remote(bool(folder), etag, length, resource_id, _states(*states), bool(own)))
        self.spellings: dict[str, str] = dict(self._database.execute("SELECT * FROM spelling"))
        self.left_out: dict[str, str] = dict(self._database.execute("SELECT * FROM left_out"))
        self.mounts: set[str] = {path for (path,) in self._database.execute("SELECT path FROM mount")}
        self.told: dict[str, str] = dict(self._database.execute("SELECT * FROM told"))
        self.letters = Letters(self._database)
        self.parts = Parts(self._database)
        self.wishes = Wishes(self._database)
        self.outside = Outside(self._database)
        self.titles = Titles(self._database)

    def copy(self) -> State:
        """Return a memory with the same content that ends with the process."""
        other = State(None)
        self._database.backup(other._database)
        other._load()
        return other

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that happens inside at once, or nothing; inside another one, with that."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def find_fact(self, name: str) -> str | None:
        """Return a fact about the folder or the collection, or None."""
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Remember a fact."""
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def drop_facts(self, *names: str) -> None:
        """Forget facts."""
        self._database.executemany("DELETE FROM fact WHERE name = ?", [(name,) for name in names])

    def agree(self, path: str, entry: Agreed) -> None:
        """Remember that both sides are the same at path."""
        self.agreed.put(path, entry)
        self._database.execute(
            "INSERT OR REPLACE INTO agreed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (path, entry.folder, entry.etag, entry.digest, *entry.stamp, entry.hashed_ns, entry.resource_id),
        )

    def forget(self, path: str) -> None:
        """Forget what was agreed at and beneath path, and the states that were wished for it."""
        for gone in reversed(list(self.agreed.walk(path))):
            self.agreed.drop(gone)
            self.wishes.drop(gone)
            self._database.execute("DELETE FROM agreed WHERE path = ?", (gone,))
            if self.spellings.pop(gone, None) is not None:
                self._database.execute("DELETE FROM spelling WHERE path = ?", (gone,))

    def forget_agreements(self, path: str = "") -> None:
        """Forget the agreements at and beneath path, so that nothing there can pass for deleted on either side.

        Names keep their spelling, and the server's tree stays known.
        """
        with self.transaction():
            for gone in reversed(list(self.agreed.walk(path))):
                self.agreed.drop(gone)
                self._database.execute("DELETE FROM agreed WHERE path = ?", (gone,))

    def forget_server(self) -> None:
        """Forget the server's tree: the next report asks for everything."""
        with self.transaction():
            for statement in FORGET_SERVER:
                self._database.execute(statement)
        self._load()

    def reset(self) -> None:
        """Forget everything but how names are spelled, which files in the making are this device's, and wishes."""
        self.forget_agreements()
        self.forget_server()
        self._database.execute("DELETE FROM fact WHERE name NOT IN (?, ?)", (STEM, FOLDER))
        self.forget_mounts()
        self.set_told({})
        for path in list(self.parts.rows):
            self.parts.drop(path)

    def find_or_make_stem(self) -> str:
        """Return 32 hex digits that begin the names of all files in the making of this device, and of no other."""
        stem = self.find_fact(STEM)
        if stem is None:
            stem = uuid.uuid4().hex
            self.set_fact(STEM, stem)
        return stem

    # Mounts

    @property
    def knows_mounts(self) -> bool:
        """Whether mounted disks were ever recorded."""
        return self.find_fact("mounts") is not None

    def set_mounts(self, mounts: set[str]) -> None:
        """Remember which folders are on another file system than the folder above them."""
        if mounts == self.mounts and self.knows_mounts:
            return
        with self.transaction():
            self._database.execute("DELETE FROM mount")
            self._database.executemany("INSERT INTO mount VALUES (?)", [(path,) for path in mounts])
            self.set_fact("mounts", "known")
        self.mounts = set(mounts)

    def forget_mounts(self) -> None:
        """Forget which folders are mounted disks: the next scan records those that it finds."""
        self._database.execute("DELETE FROM mount")
        self.mounts = set()
        self.drop_facts("mounts")

    # What could not be taken from the server

    def leave_out(self, place: str, reason: str) -> None:
        """Remember that the server's resource at place, a path or an href, cannot be taken."""
        self.left_out[place] = reason
        self._database.execute("INSERT OR REPLACE INTO left_out VALUES (?, ?)", (place, reason))

    def take_in(self, place: str) -> None:
        """Forget that place was left out, and all beneath it."""
        for known in [known for known in self.left_out if _is_within(known, place)]:
            del self.left_out[known]
            self._database.execute("DELETE FROM left_out WHERE place = ?", (known,))

    def refuse(self, path: str, token: str) -> None:
        """Remember that the server refused this token of the collection at path; the first one counts."""
        self._database.execute("INSERT OR IGNORE INTO refused VALUES (?, ?)", (path, token))
        self._database.execute(
            "INSERT OR IGNORE INTO earlier SELECT path, flags, keywords FROM remote WHERE flags <> 0 OR keywords <> ''"
        )

    def list_refused(self) -> list[tuple[str, str]]:
        """Return the collections whose token was refused, with that token."""
        return list(self._database.execute("SELECT path, token FROM refused ORDER BY path"))

    def drop_refused(self) -> None:
        """Remember that the refusals were dealt with."""
        self._database.execute("DELETE FROM refused")
        self._database.execute("DELETE FROM earlier")

    # States of a server that lost its history

    def wish_earlier(self, path: str) -> None:
        """Wish that the files at and beneath path get the states back that the server had before it refused."""
        rows = self._database.execute("SELECT * FROM earlier").fetchall()
        self._wish((known, _states(*states)) for known, *states in rows if _is_within(known, path))

    def wish_remote(self) -> None:
        """Wish that all files have the states that the server last reported."""
        self._wish((path, entry.states) for path, entry in self.remote.rows.items() if entry.states != NO_STATES)

    def _wish(self, known: Iterable[tuple[str, States]]) -> None:
        with self.transaction():
            for path, states in known:
                self.wishes.put(path, combine(as_change(states), self.wishes.find(path)))

    def spell(self, path: str, name: str) -> None:
        """Remember that the last name of path is another one here."""
        self.spellings[path] = name
        self._database.execute("INSERT OR REPLACE INTO spelling VALUES (?, ?)", (path, name))

    def set_told(self, told: dict[str, str]) -> None:
        """Remember the reports that a person has seen, path to reason, so that they are not shown again."""
        if told != self.told:
            with self.transaction():
                self._database.execute("DELETE FROM told")
                self._database.executemany("INSERT INTO told VALUES (?, ?)", told.items())
            self.told = dict(told)

    def put_remote(self, path: str, entry: Remote, *, seen: int = 0) -> None:
        """Remember the server's entry at path. seen is the number of the listing that holds it."""
        self.remote.put(path, entry)
        *facts, states, own = entry
        self._database.execute(
            "INSERT OR REPLACE INTO remote VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (path, *facts, seen, int(states.flags), write_words(states.keywords), own),
        )

    def drop_remote(self, path: str) -> None:
        """Remember that the server has nothing at and beneath path."""
        for gone in reversed(list(self.remote.walk(path))):
            self.remote.drop(gone)
            self.titles.drop(gone)
            self._database.execute("DELETE FROM remote WHERE path = ?", (gone,))
            self._database.execute("DELETE FROM scope WHERE path = ?", (gone,))

    def drop_remote_members(self, path: str) -> None:
        """Remember that the server has nothing beneath path."""
        for member in self.remote.members(path):
            self.drop_remote(member)

    def list_parts(self) -> set[tuple[str, str]]:
        """Return folder and name of the known parts of downloads that can be resumed."""
        known = ((path, part, self.remote.get(path)) for path, part in self.parts.rows.items())
        return {(parent_of(path), part.name) for path, part, there in known if there and there.etag == part.etag}

    def list_seen(self, listing: int) -> list[str]:
        """Return the paths of a full listing."""
        return [path for (path,) in self._database.execute("SELECT path FROM remote WHERE seen >= ?", (listing,))]

    def list_unseen(self, listing: int) -> list[str]:
        """Return the paths that a full listing lacks."""
        return [path for (path,) in self._database.execute("SELECT path FROM remote WHERE seen < ?", (listing,))]

    def find_scope(self, path: str) -> Scope | None:
        """Return how far the collection at path was followed, or None."""
        row = self._database.execute("SELECT token, infinite, listing FROM scope WHERE path = ?", (path,)).fetchone()
        return None if row is None else Scope(row[0], bool(row[1]), row[2])

    def set_scope(self, path: str, scope: Scope) -> None:
        """Remember how far the collection at path was followed."""
        self._database.execute("INSERT OR REPLACE INTO scope VALUES (?, ?, ?, ?)", (path, *scope))

    def list_scopes(self) -> list[str]:
        """Return the collections that are asked about by themselves, each before those beneath it."""
        return [path for (path,) in self._database.execute("SELECT path FROM scope ORDER BY path")]

    def next_listing(self) -> int:
        """Return a number that no row was seen with yet."""
        number = int(self.find_fact("listing") or 0) + 1
        self.set_fact("listing", str(number))
        return number

    def move(self, source: str, target: str) -> None:
        """Remember that all that was agreed at and beneath source is now at target, on both sides."""
        with self.transaction():
            for path in list(self.agreed.walk(source)):
                self.agree(target + path[len(source) :], self.agreed.rows[path])
                self.wishes.carry(path, target + path[len(source) :])
            self.forget(source)

    def move_remote(self, source: str, target: str) -> None:
        """Remember that the server moved the tree at source to target."""
        with self.transaction():
            for path in list(self.remote.walk(source)):
                self.put_remote(target + path[len(source) :], self.remote.rows[path]._replace(own=True))
            self.drop_remote(source)


def read_fact(file: Path, name: str) -> str:
    """Return one fact of the memory in a file, '' when there is none, or no memory."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return ""
    return "" if row is None else str(row[0])


def _states(flags: int, keywords: str) -> States:
    return States(flags, read_words(keywords)) if flags or keywords else NO_STATES


def _is_within(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(f"{top}/")
