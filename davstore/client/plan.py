"""The next actions that make both sides the same: a pure function of the agreed tree and the two trees of now.

A plan is the first of these stages that has something to do: record what already agrees; move whole folders on the
server; make folders; move files; delete; set local conflicts aside; transfer; send states. After it was carried out the
trees have changed and the next plan is made from them, so no stage has to foresee another. Edits win over deletions,
and of two edits the server's keeps the name.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from davstore.client.states import describe
from davstore.client.straying import list_arrived, list_strays, list_stuck
from davstore.client.tree import Agreed, Local, Remote, Trees, name_of, parent_of


class Verb(enum.Enum):
    """One thing that a device does; the value is the word shown to a person."""

    AGREE = "in step"
    FORGET = "gone on both sides"
    MOVE_TREE = "move folder on the server"
    MAKE_LOCAL = "make folder here"
    MAKE_REMOTE = "make folder on the server"
    MOVE_LOCAL = "move here"
    MOVE_REMOTE = "move on the server"
    DELETE_LOCAL = "delete here"
    DELETE_REMOTE = "delete on the server"
    LEAVE = "left your view"
    SET_ASIDE = "conflict, keep both"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    COMPARE = "changed on both sides"
    SEND_STATES = "send states"
    TAKE_STATES = "states from the server"


REMOVALS_HERE = (Verb.DELETE_LOCAL, Verb.LEAVE)
_SENDS = (Verb.UPLOAD, Verb.MAKE_REMOTE)
_TAKE_BODIES = (Verb.DOWNLOAD, Verb.COMPARE)
REMOVALS_THERE = (Verb.DELETE_REMOTE, Verb.FORGET)
"""Verbs that end what one side has at a path, or what is remembered of it."""


class Action(NamedTuple):
    """A verb and its path.

    other is the target of a move, a local file with the content of a download, or states in words.
    """

    verb: Verb
    path: str
    other: str = ""


def names_digest(etag: str, digest: str) -> bool:
    """Tell whether an entity tag is the SHA-256 itself. Equality is evidence; inequality means nothing."""
    return etag == f'"{digest}"'


def is_digest(etag: str) -> bool:
    """Tell whether an entity tag looks like a SHA-256."""
    return len(etag) == 66 and not set(etag[1:-1]) - set("0123456789abcdef")


def plan(trees: Trees) -> list[Action]:
    """Return the next actions, parents before members; empty when nothing is left that may be done."""
    verdicts = _verdicts(trees)
    recorded = [
        Action(verb, path)
        for path, verb in verdicts.items()
        if verb is Verb.AGREE or (verb is Verb.FORGET and path not in trees.remote.rows)
    ]
    if recorded:
        return sorted(recorded, key=lambda action: len(action.path))
    moves = list(_tree_moves(trees))
    ready = [move for move in moves if _is_remote_folder(trees, parent_of(move.other))]
    if ready:
        return ready
    return (
        list(_makes(trees, verdicts, {move.other for move in moves}))
        or list(_makes(trees, verdicts, set()))
        or [*_remote_moves(trees, verdicts), *_local_moves(trees, verdicts)]
        or list(_deletes(verdicts))
        or [Action(verb, path) for path, verb in sorted(verdicts.items()) if verb is Verb.SET_ASIDE]
        or list(_transfers(trees, verdicts))
        or list(_state_changes(trees))
    )


def _verdicts(trees: Trees) -> dict[str, Verb]:
    """Judge each path by itself; a folder only after its members, because it goes only when nothing in it stays."""
    keeps_local: set[str] = set()
    keeps_remote: set[str] = set()
    waits: set[str] = set()
    brings: set[str] = set()
    stuck = list_stuck(trees)
    arrived, strays = list_arrived(trees, stuck), list_strays(trees)
    found: dict[str, Verb] = {}
    paths = {*trees.agreed.rows, *trees.local.rows, *trees.remote.rows, *trees.held}
    for path in sorted(paths, key=len, reverse=True):
        if trees.is_held(path):
            keeps_local.add(parent_of(path))
            keeps_remote.add(parent_of(path))
            continue
        agreed, local, remote = trees.agreed.get(path), trees.local.get(path), trees.remote.get(path)
        judge = partial(_judge_outside, trees, path) if trees.is_outside(path) else _judge
        verb = judge(agreed, local, remote, path in keeps_local, path in keeps_remote)
        if trees.computed and verb in _SENDS:
            verb = None
        is_underway = agreed is not None and (
            agreed.digest in strays
            or ((path in trees.apart or agreed.digest in stuck) and agreed.digest not in arrived)
        )
        if verb in (Verb.DELETE_REMOTE, Verb.MAKE_LOCAL) and (path in waits or is_underway) and path not in brings:
            waits.add(parent_of(path))
            verb = None
        if trees.computed and verb is Verb.DOWNLOAD:
            brings.add(parent_of(path))
        if verb is not None:
            found[path] = verb
        if local is not None and verb not in REMOVALS_HERE:
            keeps_local.add(parent_of(path))
        if remote is not None and verb not in REMOVALS_THERE:
            keeps_remote.add(parent_of(path))
    return found


def _judge(
    agreed: Agreed | None, local: Local | None, remote: Remote | None, keeps_local: bool, keeps_remote: bool
) -> Verb | None:
    if local is None and remote is None:
        return Verb.FORGET
    if remote is None:
        assert local is not None  # noqa: S101 - for the type checker
        return _judge_local(agreed, local, keeps_local)
    if local is None:
        return _judge_remote(agreed, remote, keeps_remote)
    if local.folder and remote.folder:
        return None if agreed is not None and agreed.folder else Verb.AGREE
    if local.folder:
        return _judge_folder_file(agreed, remote, keeps_local)
    if remote.folder:
        return _judge_file_folder(agreed, local, keeps_remote)
    return _judge_files(agreed, local, remote)


def _judge_local(agreed: Agreed | None, local: Local, keeps: bool) -> Verb:
    """Only here: new or edited here, or deleted on the server."""
    if agreed is None or agreed.folder != local.folder:
        return Verb.MAKE_REMOTE if local.folder else Verb.UPLOAD
    if local.folder:
        return Verb.MAKE_REMOTE if keeps else Verb.DELETE_LOCAL
    return Verb.DELETE_LOCAL if agreed.digest == local.digest else Verb.UPLOAD


def _judge_remote(agreed: Agreed | None, remote: Remote, keeps: bool) -> Verb:
    """Only on the server: new or edited there, or deleted here."""
    if agreed is None or agreed.folder != remote.folder:
        return Verb.MAKE_LOCAL if remote.folder else Verb.DOWNLOAD
    if remote.folder:
        return Verb.MAKE_LOCAL if keeps else Verb.DELETE_REMOTE
    return Verb.DELETE_REMOTE if agreed.etag == remote.etag else Verb.DOWNLOAD


def _judge_folder_file(agreed: Agreed | None, remote: Remote, keeps_local: bool) -> Verb:
    """A folder here, a file on the server: the side that did not change gives way."""
    if agreed is not None and not agreed.folder and agreed.etag == remote.etag:
        return Verb.DELETE_REMOTE
    if agreed is not None and agreed.folder and not keeps_local:
        return Verb.DELETE_LOCAL
    return Verb.SET_ASIDE


def _judge_file_folder(agreed: Agreed | None, local: Local, keeps_remote: bool) -> Verb:
    if agreed is not None and not agreed.folder and agreed.digest == local.digest:
        return Verb.DELETE_LOCAL
    if agreed is not None and agreed.folder and not keeps_remote:
        return Verb.DELETE_REMOTE
    return Verb.SET_ASIDE


def _judge_files(agreed: Agreed | None, local: Local, remote: Remote) -> Verb | None:
    known = agreed if agreed is not None and not agreed.folder else None
    local_same = known is not None and known.digest == local.digest
    if known is not None and known.etag == remote.etag:
        return None if local_same else Verb.UPLOAD
    if names_digest(remote.etag, local.digest):
        return Verb.AGREE
    return Verb.DOWNLOAD if local_same else Verb.COMPARE


def _judge_outside(
    trees: Trees,
    path: str,
    agreed: Agreed | None,
    local: Local | None,
    remote: Remote | None,
    keeps_local: bool,
    keeps_remote: bool,
) -> Verb | None:
    """Judge a place that the server does not show: what came from there goes, what this device put there stays.

    Nothing is deleted on the server. A file whose states are still to be sent goes after that.
    """
    shown = remote if remote is not None and remote.own else None
    verb = _judge(agreed, local, shown, keeps_local, keeps_remote)
    if verb is Verb.DELETE_LOCAL:
        is_awaited = remote is not None and not remote.folder and path in trees.wishes
        return None if is_awaited else Verb.LEAVE
    if verb is Verb.DELETE_REMOTE:
        return Verb.FORGET if local is None else Verb.SET_ASIDE
    if local is None or verb not in (Verb.UPLOAD, Verb.MAKE_REMOTE):
        return verb
    if path in trees.taken or (remote is not None and remote.folder != local.folder):
        return Verb.SET_ASIDE
    if remote is not None and remote.folder:
        return None if agreed is not None and agreed.folder else Verb.AGREE
    return verb


def _is_remote_folder(trees: Trees, path: str) -> bool:
    remote = trees.remote.get(path)
    return not path or (remote is not None and remote.folder)


def _is_local_folder(trees: Trees, path: str) -> bool:
    local = trees.local.get(path)
    return not path or (local is not None and local.folder)


def _tree_moves(trees: Trees) -> Iterator[Action]:
    """Find folders that were renamed or moved here: the same inode at a new path, with its members."""
    newcomers = {
        entry.stamp.inode: path
        for path, entry in trees.local.rows.items()
        if entry.folder and entry.stamp.inode and _is_new(trees, path)
    }
    if not newcomers or trees.computed:
        return
    taken: set[str] = set()
    for path in sorted(trees.agreed.rows, key=len):
        agreed, remote = trees.agreed.rows[path], trees.remote.get(path)
        target = newcomers.get(agreed.stamp.inode) if agreed.folder and path not in trees.local.rows else None
        if target is None or remote is None or not remote.folder or path in trees.apart:
            continue
        if parent_of(path) in taken or trees.is_held(path):
            taken.add(path)
        elif _is_same_tree(trees, path, target):
            taken.add(path)
            yield Action(Verb.MOVE_TREE, path, target)


def _is_new(trees: Trees, path: str) -> bool:
    """Tell whether path is neither agreed about nor on the server."""
    return not (path in trees.agreed.rows or path in trees.remote.rows or trees.is_held(path))


def _is_same_tree(trees: Trees, source: str, target: str) -> bool:
    """Tell whether a folder was moved, by half of its files: a new one may have the inode of a deleted one."""
    files = [path for path in trees.agreed.walk(source) if not trees.agreed.rows[path].folder]
    found = 0
    for path in files:
        local = trees.local.get(target + path[len(source) :])
        found += local is not None and local.digest == trees.agreed.rows[path].digest
    return 2 * found >= len(files)


def _makes(trees: Trees, verdicts: dict[str, Verb], leave: set[str]) -> Iterator[Action]:
    """Yield folders whose parent is there, or is made just before, but not those that the move of a tree brings."""
    made_local: set[str] = set()
    made_remote: set[str] = set()
    for path in sorted(verdicts, key=len):
        verb, parent = verdicts[path], parent_of(path)
        if verb is Verb.MAKE_LOCAL and (_is_local_folder(trees, parent) or parent in made_local):
            made_local.add(path)
            yield Action(verb, path)
        if (
            verb is Verb.MAKE_REMOTE
            and path not in leave
            and (_is_remote_folder(trees, parent) or parent in made_remote)
        ):
            made_remote.add(path)
            yield Action(verb, path)


def _remote_moves(trees: Trees, verdicts: dict[str, Verb]) -> Iterator[Action]:
    """Pair files that are gone here, and are to go on the server, with uploads of the same content."""
    sources: dict[str, list[str]] = defaultdict(list)
    for path, verb in verdicts.items():
        agreed = trees.agreed.get(path)
        if agreed is None or agreed.folder or path in trees.apart:
            continue
        if verb is Verb.DELETE_REMOTE or (verb is Verb.FORGET and trees.remote.rows[path].etag == agreed.etag):
            sources[agreed.digest].append(path)
    if not sources:
        return
    for path in sorted(path for path, verb in verdicts.items() if verb is Verb.UPLOAD):
        local = trees.local.rows[path]
        free = path not in trees.remote.rows and _is_remote_folder(trees, parent_of(path))
        candidates = sources.get(local.digest) if free else None
        if candidates:
            source = max(candidates, key=lambda old: _likeness(trees, old, path, local.stamp.inode))
            candidates.remove(source)
            yield Action(Verb.MOVE_REMOTE, source, path)


def _likeness(trees: Trees, old: str, new: str, inode: int) -> tuple[bool, bool, str]:
    return trees.agreed.rows[old].stamp.inode == inode, name_of(old) == name_of(new), old


def _local_moves(trees: Trees, verdicts: dict[str, Verb]) -> Iterator[Action]:
    """Pair files that are to be deleted here with downloads known to have the same content.

    Content is known where the entity tag is a SHA-256, or where the resource kept its id (RFC 5842 §3.1) and its tag:
    the same tag at two URLs alone proves nothing (RFC 9110 §8.8.1).
    """
    sources: dict[str, list[str]] = defaultdict(list)
    for path, verb in verdicts.items():
        agreed = trees.agreed.get(path)
        if verb in REMOVALS_HERE and agreed is not None and not agreed.folder:
            sources[f'"{agreed.digest}"'].append(path)
            if agreed.resource_id:
                sources[agreed.resource_id + agreed.etag].append(path)
    used: set[str] = set()
    for path in sorted(path for path, verb in verdicts.items() if verb is Verb.DOWNLOAD and sources):
        remote = trees.remote.rows[path]
        if path in trees.local.rows or not _is_local_folder(trees, parent_of(path)):
            continue
        same = sources.get(remote.resource_id + remote.etag, []) if remote.resource_id else []
        source = next((old for old in [*same, *sources.get(remote.etag, [])] if old not in used), None)
        if source is not None:
            used.add(source)
            yield Action(Verb.MOVE_LOCAL, source, path)


def _deletes(verdicts: dict[str, Verb]) -> Iterator[Action]:
    """Yield the tops of the trees to remove: everything beneath them goes too."""
    for path, verb in sorted(verdicts.items()):
        for removals in (REMOVALS_HERE, REMOVALS_THERE):
            if verb in removals and verdicts.get(parent_of(path)) not in removals:
                yield Action(verb, path)


def list_listed(trees: Trees) -> list[str]:
    """Return the files whose bodies stay on the server, because only lists are asked for."""
    verdicts = _verdicts(trees) if trees.list_only else {}
    return [path for path, verb in sorted(verdicts.items()) if verb in _TAKE_BODIES]


def _transfers(trees: Trees, verdicts: dict[str, Verb]) -> Iterator[Action]:
    by_tag = {f'"{entry.digest}"': path for path, entry in trees.local.rows.items() if not entry.folder}
    for path, verb in sorted(verdicts.items()):
        parent = parent_of(path)
        if verb is Verb.UPLOAD and _is_remote_folder(trees, parent):
            yield Action(verb, path)
        elif verb in _TAKE_BODIES and trees.list_only:
            continue
        elif verb is Verb.DOWNLOAD and _is_local_folder(trees, parent):
            yield Action(verb, path, by_tag.get(trees.remote.rows[path].etag, ""))
        elif verb is Verb.COMPARE:
            yield Action(verb, path)


def _state_changes(trees: Trees) -> Iterator[Action]:
    """Yield the files whose states the server is to change: none of them has anything else to be done."""
    for path, change in sorted(trees.wishes.items()):
        remote = trees.remote.get(path)
        if remote is not None and not remote.folder and path in trees.agreed.rows and not trees.is_held(path):
            yield Action(Verb.SEND_STATES, path, describe(change))
