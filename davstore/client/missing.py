"""Names that the server has and does not show to this device, found by a write that it refuses."""

from __future__ import annotations

from davstore.client.exit_status import Changed
from davstore.client.state import State
from davstore.client.tree import Trees, parent_of


def miss(trees: Trees, state: State, path: str, change: Changed, *, is_new: bool) -> None:
    """Take note of a refused write: the server has something at path that this device does not know.

    It may have come during the run: the next report tells that, or the place is outside of what is shown. There it is
    left alone, and what is here gets another name. With is_new nothing was to be replaced. A folder outside that is
    gone (409) is made again, because of what is new in it.

    Raises:
        Changed: the place was not known to be outside.
    """
    if change.status == 409:
        _lose(trees, state, parent_of(path), change)
        return
    if not trees.is_outside(path):
        state.outside.add(path)
        raise change
    if is_new:
        trees.taken.add(path)
    state.forget_agreements(path)
    state.drop_remote(path)


def _lose(trees: Trees, state: State, folder: str, change: Changed) -> None:
    if folder in trees.lost and folder not in trees.remote.rows:
        return  # another write into it told so
    if not folder or not trees.is_outside(folder) or folder in trees.lost:
        raise change
    trees.lost.add(folder)
    state.forget_agreements(folder)
    state.drop_remote(folder)
