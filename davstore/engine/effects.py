"""The effects of a change of a store, in the unit that makes it.

`EFFECTS` is the whole list, and its order is the order in which they run, after the last change of the unit. There is
no registration: a new effect is a line of the tuple, with a comment on its cost where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from davstore.engine import charging, dispositions
from davstore.engine.writer import Change, TreeChange, Writer


class Effect(NamedTuple):
    """The two forms of one effect: for a change of one resource, and for nodes that came or ended together.

    A tree may have 100,000 nodes: of_tree finds what it needs by the change numbers, with statements over sets. Either
    writes through the unit and the ledger alone: the unit may still be refused for want of room, and run again.
    """

    of_one: Callable[[Writer, Change], None]
    of_tree: Callable[[Writer, TreeChange], None]


EFFECTS: Final = (
    Effect(charging.charge, charging.charge_tree),  # counts from values that the statements returned, and runs none
    Effect(dispositions.count_stored, dispositions.count_stored_in_tree),  # looks at the type of the resource alone
)


def follow(writer: Writer) -> None:
    """Run all effects of the changes of the unit."""
    for effect in EFFECTS:
        for change in writer.changes:
            if isinstance(change, Change):
                effect.of_one(writer, change)
            else:
                effect.of_tree(writer, change)
