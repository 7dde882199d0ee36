"""Carry a plan out on copies of the trees: for `--dry-run`, and for tests that plans converge and lose nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from davstore.client.plan import Action, Verb, plan
from davstore.client.tree import Agreed, Local, Remote, Stamp, Tree, View

NO_STAMP = Stamp(0, 0, 0, 0)


def copy_view(view: View) -> View:
    """Return a view that can be changed without changing this one."""
    return View(
        Tree(dict(view.agreed.rows)),
        Tree(dict(view.local.rows)),
        Tree(dict(view.remote.rows)),
        set(view.held),
        set(view.apart),
    )


def rehearse(view: View, conflict_path: Callable[[str], str]) -> Iterator[Action]:
    """Yield all that would be done, in order, changing view as if everything succeeded.

    Content that only a download could tell is taken to differ, so every COMPARE becomes a conflict.
    """
    while actions := plan(view):
        for action in actions:
            perform(view, action, conflict_path)
            yield action


def perform(view: View, action: Action, conflict_path: Callable[[str], str]) -> None:
    """Change view as action would."""
    verb, path, other = action
    if verb is Verb.FORGET:
        view.agreed.drop(path)
    elif verb in (Verb.DELETE_LOCAL, Verb.DELETE_REMOTE):
        tree: Tree[Local] | Tree[Remote] = view.local if verb is Verb.DELETE_LOCAL else view.remote
        for gone in reversed(list(tree.walk(path))):
            tree.drop(gone)
    elif verb is Verb.MOVE_TREE:
        move_subtree(view.remote, path, other)
        move_subtree(view.agreed, path, other)
    elif verb is Verb.MOVE_REMOTE:
        move_subtree(view.remote, path, other)
        view.agreed.drop(path)
        agree(view, other)
    elif verb is Verb.MOVE_LOCAL:
        move_subtree(view.local, path, other)
        view.agreed.drop(path)
        agree(view, other)
    elif verb is Verb.SET_ASIDE:
        move_subtree(view.local, path, conflict_path(path))
    else:
        _match(view, verb, path, conflict_path)
        agree(view, path)


def _match(view: View, verb: Verb, path: str, conflict_path: Callable[[str], str]) -> None:
    """Make one side at path like the other."""
    local, remote = view.local.get(path), view.remote.get(path)
    if verb is Verb.COMPARE:
        move_subtree(view.local, path, conflict_path(path))
        verb = Verb.DOWNLOAD
    if verb in (Verb.MAKE_REMOTE, Verb.UPLOAD) and local is not None:
        view.remote.put(path, Remote(local.folder, "" if local.folder else f'"{local.digest}"', local.stamp.size))
    if verb in (Verb.MAKE_LOCAL, Verb.DOWNLOAD) and remote is not None:
        view.local.put(path, Local(remote.folder, remote.etag.strip('"'), NO_STAMP, 0))


def agree(view: View, path: str) -> None:
    """Record that both sides are the same at path."""
    local, remote = view.local.rows[path], view.remote.rows[path]
    view.agreed.put(
        path, Agreed(local.folder, remote.etag, local.digest, local.stamp, local.hashed_ns, remote.resource_id)
    )


def move_subtree(tree: Tree[Local] | Tree[Remote] | Tree[Agreed], source: str, target: str) -> None:
    """Give everything at and beneath source its place at target."""
    for path in list(tree.walk(source)):
        entry = tree.rows[path]
        tree.put(target + path[len(source) :], entry)  # type: ignore[arg-type]
    for path in reversed(list(tree.walk(source))):
        tree.drop(path)
