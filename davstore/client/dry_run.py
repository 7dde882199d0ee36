"""Carry a plan out on copies of the trees: for `--dry-run`, and for tests that plans converge and lose nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from davstore.client.plan import Action, Verb, plan
from davstore.client.tree import Agreed, Local, Remote, Stamp, Tree, Trees

NO_STAMP = Stamp(0, 0, 0, 0)


def copy_view(trees: Trees) -> Trees:
    """Return a trees that can be changed without changing this one."""
    return Trees(
        Tree(dict(trees.agreed.rows)),
        Tree(dict(trees.local.rows)),
        Tree(dict(trees.remote.rows)),
        set(trees.held),
        set(trees.apart),
        dict(trees.wishes),
        set(trees.outside),
        trees.narrowed,
        set(trees.taken),
        set(trees.lost),
        trees.list_only,
        trees.computed,
    )


def rehearse(trees: Trees, conflict_path: Callable[[str], str]) -> Iterator[Action]:
    """Yield all that would be done, in order, changing trees as if everything succeeded.

    Content that only a download could compare counts as different, so every COMPARE becomes a conflict.
    """
    while actions := plan(trees):
        for action in actions:
            perform(trees, action, conflict_path)
            yield action


def perform(trees: Trees, action: Action, conflict_path: Callable[[str], str]) -> None:
    """Change trees as action would."""
    verb, path, other = action
    if verb in (Verb.FORGET, Verb.LEAVE):
        _forget(trees, path, here=verb is Verb.LEAVE)
    elif verb in (Verb.DELETE_LOCAL, Verb.DELETE_REMOTE):
        tree: Tree[Local] | Tree[Remote] = trees.local if verb is Verb.DELETE_LOCAL else trees.remote
        for gone in reversed(list(tree.walk(path))):
            tree.drop(gone)
    elif verb is Verb.MOVE_TREE:
        _move_there(trees, path, other)
        move_subtree(trees.agreed, path, other)
    elif verb is Verb.MOVE_REMOTE:
        _move_there(trees, path, other)
        trees.agreed.drop(path)
        agree(trees, other)
    elif verb is Verb.MOVE_LOCAL:
        move_subtree(trees.local, path, other)
        trees.agreed.drop(path)
        agree(trees, other)
    elif verb is Verb.SET_ASIDE:
        move_subtree(trees.local, path, conflict_path(path))
    elif verb is Verb.SEND_STATES:
        del trees.wishes[path]
    else:
        _match(trees, verb, path, conflict_path)
        agree(trees, path)


def _forget(trees: Trees, top: str, *, here: bool) -> None:
    """Drop what is remembered at and beneath top; with here the local files, too."""
    for path in reversed(list(trees.agreed.walk(top))):
        trees.agreed.drop(path)
    for path in reversed(list(trees.remote.walk(top))):
        trees.remote.drop(path)
    for path in reversed(list(trees.local.walk(top))) if here else ():
        trees.local.drop(path)


def _move_there(trees: Trees, source: str, target: str) -> None:
    move_subtree(trees.remote, source, target)
    for path in list(trees.remote.walk(target)):
        trees.remote.put(path, trees.remote.rows[path]._replace(own=True))


def _match(trees: Trees, verb: Verb, path: str, conflict_path: Callable[[str], str]) -> None:
    """Make one side at path like the other."""
    local, remote = trees.local.get(path), trees.remote.get(path)
    if verb is Verb.COMPARE:
        move_subtree(trees.local, path, conflict_path(path))
        verb = Verb.DOWNLOAD
    if verb in (Verb.MAKE_REMOTE, Verb.UPLOAD) and local is not None:
        etag = "" if local.folder else f'"{local.digest}"'
        trees.remote.put(path, Remote(local.folder, etag, local.stamp.size, own=True))
    if verb in (Verb.MAKE_LOCAL, Verb.DOWNLOAD) and remote is not None:
        trees.local.put(path, Local(remote.folder, remote.etag.strip('"'), NO_STAMP, 0))


def agree(trees: Trees, path: str) -> None:
    """Record that both sides are the same at path."""
    local, remote = trees.local.rows[path], trees.remote.rows[path]
    trees.agreed.put(
        path, Agreed(local.folder, remote.etag, local.digest, local.stamp, local.hashed_ns, remote.resource_id)
    )


def move_subtree(tree: Tree[Local] | Tree[Remote] | Tree[Agreed], source: str, target: str) -> None:
    """Give everything at and beneath source its place at target."""
    for path in list(tree.walk(source)):
        entry = tree.rows[path]
        tree.put(target + path[len(source) :], entry)  # type: ignore[arg-type]
    for path in reversed(list(tree.walk(source))):
        tree.drop(path)
