"""Threads that another program divides otherwise, with the reason: the first message of one, and of each of its parts.

`test_threads.py` says which of the two has it whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Reasons = Mapping[str, Mapping[str, list[str]]]

IN_NOTMUCH: Final[Reasons] = {
    "whole in notmuch, to which the address of an author in In-Reply-To is an id: the parts have nothing in common": {
        "easy-ham-1/00050.74d": ["easy-ham-1/00050.74d", "easy-ham-2/01273.01c"],
        "easy-ham-1/00322.4ee": ["easy-ham-1/00322.4ee", "easy-ham-2/00822.8fd"],
        "easy-ham-1/00352.986": ["easy-ham-1/00352.986", "easy-ham-1/00589.38f"],
        "easy-ham-1/00928.83c": ["easy-ham-1/00928.83c", "easy-ham-2/01359.825"],
        "easy-ham-1/00976.13e": ["easy-ham-1/00976.13e", "easy-ham-2/00757.7ae"],
        "easy-ham-1/01157.471": ["easy-ham-1/01157.471", "easy-ham-2/00682.ed1"],
        "easy-ham-1/01311.bcb": [
            *("easy-ham-1/01311.bcb", "easy-ham-1/01326.d8a", "easy-ham-1/01432.398"),
            *("easy-ham-1/01544.626", "easy-ham-2/00643.cc9"),
        ],
        "easy-ham-1/01485.4ef": ["easy-ham-1/01485.4ef", "easy-ham-1/01506.4bb", "easy-ham-1/01545.0ea"],
        "easy-ham-2/00058.37a": ["easy-ham-2/00058.37a", "easy-ham-2/00196.8f7", "easy-ham-2/00223.7eb"],
    },
}
IN_DOVECOT: Final[Reasons] = {
    "in parts in Dovecot, where a message has one parent: of two chains of References that differ one counts": {
        "easy-ham-1/00001.7c5": ["easy-ham-1/00001.7c5", "easy-ham-2/00008.6b7"],
        "easy-ham-1/00050.74d": ["easy-ham-1/00050.74d", "easy-ham-1/01390.b29"],
        "easy-ham-1/01485.4ef": ["easy-ham-1/01485.4ef", "easy-ham-1/01546.600"],
        "easy-ham-2/00065.274": ["easy-ham-2/00065.274", "easy-ham-2/00073.78e"],
        "threading/parent-priority/cur/child": [
            "threading/parent-priority/cur/child",
            "threading/parent-priority/cur/grand-child",
        ],
    },
}
IN_MBLAZE: Final[Reasons] = {
    "in parts in mblaze, to which an id with a blank within is another": {
        "easy-ham-1/00077.24c": ["easy-ham-1/00077.24c", "easy-ham-1/00190.e26"],
        "easy-ham-1/00814.609": ["easy-ham-1/00814.609", "easy-ham-1/00837.d98"],
    },
    "in parts in mblaze, where a message has one parent": {
        "easy-ham-1/00050.74d": ["easy-ham-1/00050.74d", "easy-ham-1/01390.b29"],
        "easy-ham-1/00989.591": ["easy-ham-1/00989.591", "easy-ham-1/00999.c78", "easy-ham-2/00757.7ae"],
        "easy-ham-1/01485.4ef": ["easy-ham-1/01485.4ef", "easy-ham-1/01506.4bb"],
        "easy-ham-1/01641.af4": ["easy-ham-1/01641.af4", "easy-ham-1/01648.775"],
        "easy-ham-2/00065.274": ["easy-ham-2/00065.274", "easy-ham-2/00073.78e"],
        "lkml/cur/1354585346.000260:2,": [
            "lkml/cur/1354585346.000260:2,",
            "lkml/cur/1382298587.003112:2,",
            *(
                f"lkml/cur/1382298770.00{number}:2,"
                for number in (1892, 2189, 2193, 2194, 2911, 2912, 2915, 2930, 3486)
            ),
        ],
    },
}


def named(reasons: Reasons) -> dict[str, list[str]]:
    """Return the differences of a program."""
    return {name: parts for threads in reasons.values() for name, parts in threads.items()}
