"""A view: the members of a store that a device is shown, by its filter, preferences and the provider's policy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from davstore.model import where as conditions
from davstore.model.paths import Area
from davstore.model.rules import THREADS, Pattern, Reach
from davstore.model.where import And, Where


@dataclass(frozen=True, slots=True)
class View:
    """What must hold for a member.

    where and max_age_seconds are about members that are no collections, and about threads as far as these have such
    facts; other collections hold members that may be in the view. include: each group of places must hold it, but for
    a group of places in the other area alone; a collection above one of them is in the view too. exclude: none of these
    places holds it. A member of a thread is in the view where its folder is too. withheld are the states that are not
    told (`rules.STATES`). list_only: the device is asked to take no bodies.
    """

    where: Where | None = None
    max_age_seconds: int | None = None
    include: tuple[tuple[Reach, ...], ...] = ()
    exclude: tuple[Pattern, ...] = ()
    withheld: frozenset[str] = frozenset()
    list_only: bool = False

    @property
    def has_scopes(self) -> bool:
        """Whether folders or threads are left out."""
        return bool(self.include or self.exclude)

    def without_scopes(self) -> View:
        """Return the view of all folders."""
        view = replace(self, include=(), exclude=())
        return EVERYTHING if view == EVERYTHING else view

    def in_area(self, area: Area) -> View:
        """Return the view without what says nothing about an area: threads say nothing about folders."""
        if area != Area.STORE or not self.has_scopes:
            return self
        groups = [(group, tuple(reach for reach in group if not _is_thread(reach.pattern))) for group in self.include]
        include = tuple(sorted({folders for group, folders in groups if folders or not group}))
        exclude = tuple(pattern for pattern in self.exclude if not _is_thread(pattern))
        view = replace(self, include=include, exclude=exclude)
        return EVERYTHING if view == EVERYTHING else view

    def narrowed(self, other: View) -> View:
        """Return the view of what is in both."""
        if self is EVERYTHING or other is EVERYTHING:
            return other if self is EVERYTHING else self
        ages = [age for age in (self.max_age_seconds, other.max_age_seconds) if age is not None]
        return View(
            all_of([where for where in (self.where, other.where) if where is not None]),
            min(ages, default=None),
            tuple(sorted({*self.include, *other.include})),
            tuple(sorted({*self.exclude, *other.exclude})),
            self.withheld | other.withheld,
            self.list_only or other.list_only,
        )


EVERYTHING: Final = View()
"""The one view that leaves out nothing: it is told by identity, as each request asks."""


def _is_thread(pattern: Pattern) -> bool:
    return pattern[:1] == (THREADS,)


def all_of(wheres: list[Where]) -> Where | None:
    """Return the condition that all of some conditions hold; None: there are none."""
    return And(tuple(wheres)) if len(wheres) > 1 else next(iter(wheres), None)


def hash_of(view: View) -> str:
    """Return the hash of a view, 16 hexadecimal digits."""
    return hashlib.blake2b(to_json(view).encode(), digest_size=8).hexdigest()


def to_json(view: View) -> str:
    """Return a view as text: what a view is kept as."""
    where = None if view.where is None else json.loads(conditions.to_json(view.where))
    content = {
        "where": where,
        "max_age_seconds": view.max_age_seconds,
        "include": [[[list(one.pattern), one.is_deep] for one in group] for group in view.include],
        "exclude": [list(pattern) for pattern in view.exclude],
        "withheld": sorted(view.withheld),
        "list_only": view.list_only,
    }
    said = {key: value for key, value in content.items() if value not in (None, [])}
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def parse_json(text: str) -> View:
    """Return the view that `to_json` wrote."""
    content: Mapping[str, Any] = json.loads(text)
    where = content.get("where")
    return View(
        None if where is None else conditions.parse_json(json.dumps(where)),
        content.get("max_age_seconds"),
        tuple(tuple(Reach(tuple(one), is_deep) for one, is_deep in group) for group in content.get("include", ())),
        tuple(map(tuple, content.get("exclude", ()))),
        frozenset(content.get("withheld", ())),
        content.get("list_only", False),
    )
