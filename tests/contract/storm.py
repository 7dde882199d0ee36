"""A process that writes as fast as it can and says what was acknowledged, until it is killed.

Each thread works through a sequence of operations that only its number decides, so the reader of the acknowledgements
knows the content that must be there: all that was acknowledged, and the operation under way whole or not at all.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from davstore.metadata.opening import open_database
from tests.contract.storage import Storage

THREADS = 4
Tree = dict[str, bytes | None]
"""Places and their bodies; None is a collection."""


def content(thread: int, step: int) -> bytes:
    """Return a body; every third is a blob."""
    return b"%d.%d " % (thread, step) * (200 if step % 3 == 0 else 2)


def operate(storage: Storage, thread: int, step: int) -> None:
    """Do one operation."""
    top = f"w{thread}"
    round_, kind = divmod(step, 6)
    if step == 0:
        storage.mkcol(top)
    elif kind == 0:
        storage.delete(f"{top}/moved{round_ - 1}")
    elif kind == 1:
        storage.mkcol(f"{top}/c{round_}")
    elif kind in (2, 3):
        storage.put(f"{top}/c{round_}/f{kind}", content(thread, step))
    elif kind == 4:
        storage.copy(f"{top}/c{round_}", f"{top}/copy", overwrite=True)
    else:
        storage.move(f"{top}/c{round_}", f"{top}/moved{round_}")


def expected(thread: int, steps: int) -> Tree:
    """Return what is there after so many operations of a thread."""
    top, tree = f"w{thread}", Tree()
    for step in range(steps):
        round_, kind = divmod(step, 6)
        if step == 0:
            tree[top] = None
        elif kind == 0:
            _drop(tree, f"{top}/moved{round_ - 1}")
        elif kind == 1:
            tree[f"{top}/c{round_}"] = None
        elif kind in (2, 3):
            tree[f"{top}/c{round_}/f{kind}"] = content(thread, step)
        else:
            source, target = f"{top}/c{round_}", f"{top}/copy" if kind == 4 else f"{top}/moved{round_}"
            found = {place.replace(source, target, 1): body for place, body in tree.items() if _in(place, source)}
            _drop(tree, source if kind == 5 else target)
            tree |= found
    return tree


def _in(place: str, top: str) -> bool:
    return place == top or place.startswith(f"{top}/")


def _drop(tree: Tree, top: str) -> None:
    for place in [place for place in tree if _in(place, top)]:
        del tree[place]


def _work(storage: Storage, thread: int) -> None:
    step = 0
    while True:
        operate(storage, thread, step)
        os.write(1, b"%d %d\n" % (thread, step))
        step += 1


def main(url: str, directory: str) -> None:
    """Write until killed."""
    storage = Storage(open_database(url, Path(directory)), Path(directory), exists=True)
    for thread in range(THREADS):
        threading.Thread(target=_work, args=(storage, thread)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
