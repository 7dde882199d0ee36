"""Downloads and uploads of files, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from davstore.client.draft import Digest, Draft, Part
from davstore.client.exit_status import Changed, NotDone
from davstore.client.folder import Folder
from davstore.client.missing import miss
from davstore.client.plan import Action, Verb, is_digest, names_digest
from davstore.client.remote import Facts, RemoteCollection
from davstore.client.state import State
from davstore.client.tree import Local, Remote, Trees, name_of, parent_of
from davstore.client.upload import UploadBody
from davstore.protocol.http.media_types import guess_media_type

PART_BYTES = 1024 * 1024
"""From this size on the beginning of a download that was cut off is kept."""

Record = Callable[[], None]
"""Records the outcome of an action."""


class Transfers:
    """The transfers of one trees.

    passed gets counts of bytes transferred. The functions that a transfer returns call record, set_aside and done.
    """

    def __init__(
        self,
        trees: Trees,
        state: State,
        folder: Folder,
        remote: RemoteCollection,
        *,
        passed: Callable[[int], None],
        record: Callable[[str, Local, Remote], None],
        set_aside: Callable[[str, str], Record],
        done: Callable[[Action], None],
    ) -> None:
        self._trees, self._state, self._folder, self._remote = trees, state, folder, remote
        self._passed, self._record, self._set_aside, self._done = passed, record, set_aside, done
        self._limits: dict[str, int] = {}
        self._reached: dict[str, Part] = {}

    def remember_part(self, path: str) -> None:
        """Record the part of a large download before it begins, so that a later run can resume it.

        After a kill the part is longer than recorded; only an entity tag that is the digest can prove it in the end.
        """
        remote, part = self._trees.remote.rows[path], self._state.parts.rows.get(path)
        if part is not None and part.etag == remote.etag:
            self._limits[path] = remote.length if is_digest(part.etag) else part.bytes
        elif part is not None or remote.length >= PART_BYTES:
            name = part.name if part else self._folder.draft_name()
            self._state.parts.put(path, Part(name, remote.etag, 0))
            self._limits[path] = 0

    def sweep_parts(self) -> None:
        """Remove the parts of files that the server no longer has."""
        for path, part in list(self._state.parts.rows.items()):
            remote = self._trees.remote.get(path)
            if remote is None or remote.folder:
                self._folder.remove_part(parent_of(path), part.name)
                self._state.parts.drop(path)

    def settle_part(self, path: str) -> None:
        """Record how far a download came that was cut off; only the thread that has the state may."""
        reached = self._reached.pop(path, None)
        if reached is not None and path in self._state.parts.rows:
            self._state.parts.put(path, reached)

    def download(self, action: Action) -> Record:
        path, before = action.path, self._trees.local.get(action.path)
        with self._draft(path) as draft:
            remote = self._copy(draft, path, action.other) if action.other else None
            if remote is None:
                remote = self._fetch(draft, path)
            placed = self._folder.place(draft, path, before)
        return lambda: self._record(path, placed, remote)

    @contextmanager
    def _draft(self, path: str) -> Iterator[Draft]:
        """Open the file that a download goes to, with the part that an earlier run brought."""
        part = self._state.parts.rows.get(path)
        name = part.name if part else self._folder.draft_name()
        with self._folder.draft(path, name, self._passed, keep=part is not None) as draft:
            try:
                if part is not None:
                    draft.resume(part.etag, self._limits.get(path, part.bytes))
                yield draft
            finally:
                if part is not None:
                    self._reached[path] = Part(name, draft.etag, draft.size)

    def _fetch(self, draft: Draft, path: str) -> Remote:
        known, resumed = self._trees.remote.rows[path], draft.size
        if not (resumed and names_digest(draft.etag, draft.digest)):
            etag, modified = self._remote.fetch(path, draft)
            if resumed and is_digest(etag) and not names_digest(etag, draft.digest):
                draft.restart("")
                etag, modified = self._remote.fetch(path, draft)
        else:
            etag, modified = draft.etag, self._remote.find_modified(path)
        draft.set_modified(modified)
        return known._replace(etag=etag or known.etag, length=draft.size)

    def _copy(self, draft: Draft, path: str, source: str) -> Remote | None:
        """Take content from a local file that was seen to have it; None when it no longer has."""
        known = self._trees.remote.rows[path]
        try:
            with self._folder.read(source, self._trees.local.rows[source]) as chunks:
                draft.restart(known.etag)
                for chunk in chunks:
                    draft.write(chunk)
            draft.set_modified(self._remote.find_modified(path))
        except (Changed, NotDone, OSError, KeyError):
            draft.restart("")
            return None
        if names_digest(known.etag, draft.digest):
            return known._replace(length=draft.size)
        draft.restart("")
        return None

    def compare(self, action: Action) -> Record:
        """Fetch the server's content. If it differs from the local one, both are kept."""
        path, local = action.path, self._trees.local.rows[action.path]
        with self._draft(path) as draft:
            remote = self._fetch(draft, path)
            if draft.digest == local.digest:
                return lambda: self._record(path, local, remote)
            set_aside = self._set_aside(path, action.other)
            placed = self._folder.place(draft, path, None)

        def record() -> None:
            set_aside()
            self._record(path, placed, remote)
            self._done(Action(Verb.SET_ASIDE, path, action.other))

        return record

    def upload(self, action: Action) -> Record:
        path, local = action.path, self._trees.local.rows[action.path]
        known = self._find_known(path)
        body = UploadBody(self._folder, path, local, self._passed)
        facts = Facts(
            local.stamp.mtime_ns // 1_000_000_000, "" if known else guess_media_type(name_of(path)), body.sha1
        )
        is_made = known is None
        try:
            etag = self._remote.put(path, body.open, facts, etag=known.etag if known else None)
        except Changed as change:
            if not (change.status in (405, 409, 412) and self._trees.narrowed):
                raise
            etag = self._find_same(path, local) if known is None and change.status != 409 else ""
            is_made = False
            if not etag:
                return partial(miss, self._trees, self._state, path, change, is_new=known is None)
        etag = etag or self._find_tag(path, body.digest)
        entry = (known or Remote(folder=False, etag=""))._replace(etag=etag, length=local.stamp.size, own=True)

        def record() -> None:
            if is_made:
                self._state.outside.drop(path)
            self._record(path, local._replace(digest=body.digest), entry)

        return record

    def _find_known(self, path: str) -> Remote | None:
        """Return the server's file that an upload replaces; of one that it does not show only the one agreed about."""
        known, agreed = self._trees.remote.get(path), self._trees.agreed.get(path)
        if known is None or known.own or not self._trees.is_outside(path):
            return known
        return known if agreed is not None and agreed.etag == known.etag else None

    def _find_same(self, path: str, local: Local) -> str:
        """Return the entity tag of the file at path on the server if that is the same, else ''; '' of a folder, too."""
        try:
            etag = self._remote.find_tag(path)
        except Changed as change:
            if change.status >= 400:
                raise
            return ""
        return etag if names_digest(etag, local.digest) else ""

    def _find_tag(self, path: str, digest: str) -> str:
        """Return the entity tag of the content at path on the server: not every server sends it after a PUT."""
        content = Digest()
        etag, _ = self._remote.fetch(path, content)
        if not etag or content.hex != digest:
            raise Changed(f"{path} is another file on the server")
        return etag
