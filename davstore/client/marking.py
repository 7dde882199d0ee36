"""Wishes between a person's marks and the server: files that moved, and what came true meanwhile."""

from __future__ import annotations

from davstore.client.state import State
from davstore.client.tree import Local, Tree


def settle(state: State) -> None:
    """Forget what of the wishes is so on the server, as last reported.

    Done before the server is asked, so that a mark that was taken back undoes nothing of another device's, and after.
    """
    with state.transaction():
        state.wishes.load()
        for path in list(state.wishes.rows):
            entry = state.remote.get(path)
            if entry is not None:
                state.wishes.settle(path, entry.states)


def follow(state: State, local: Tree[Local]) -> None:
    """Let wishes follow files that a person moved since; forget those of files that are nowhere."""
    lost = [path for path in state.wishes.rows if path not in local.rows]
    if not lost:
        return
    inodes = {entry.stamp.inode: path for path, entry in local.rows.items() if path not in state.agreed.rows}
    with state.transaction():
        for path in lost:
            agreed = state.agreed.get(path)
            target = inodes.get(agreed.stamp.inode) if agreed is not None else None
            if agreed is not None and target is not None and local.rows[target].digest == agreed.digest:
                state.wishes.carry(path, target)
            elif agreed is None and path not in state.remote.rows:
                state.wishes.drop(path)
