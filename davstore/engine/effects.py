"""The effects of a change of a store, in the unit that makes it.

`EFFECTS` is the whole list, and its order is the order in which they run, after the last change of the unit. There is
no registration: a new effect is a line of the tuple, with a comment on its cost where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from davstore.engine import charging, dispositions, threads
from davstore.engine.writer import Writer

Effect = Callable[[Writer], None]
"""Follows all changes of a unit, of which there may be thousands, by statements over sets.

It writes through the unit and the ledger alone: the unit may still be refused for want of room, and run again.
"""

EFFECTS: Final[tuple[Effect, ...]] = (
    charging.charge,  # counts from values that the statements returned, and runs none
    dispositions.follow,  # looks at the types of resources alone
    threads.follow,  # runs none for files, nor where things end in a store that never held a message
)


def follow(writer: Writer) -> None:
    """Run all effects of the changes of the unit."""
    for effect in EFFECTS:
        effect(writer)
