"""A view at one time, and the members that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from davstore.metadata import conversations, messages, places, states
from davstore.metadata.changed_members import Form, difference_form, find_oldest
from davstore.metadata.unit import Unit
from davstore.model import facets as facet
from davstore.model import where as conditions
from davstore.model.changes import WHOLE, Stamp
from davstore.model.facets import Facets
from davstore.model.nodes import Resource, ResourceType, StoreFacts
from davstore.model.paths import Area
from davstore.model.rules import KEYWORDS, THREADS
from davstore.model.states import Flag
from davstore.model.views import EVERYTHING, View, all_of, hash_of
from davstore.model.where import And, Compare, Comparison, Fact, IsDefined, Not, Or, Source, Where, facts_of
from davstore.policy.patterns import covers, find_reaches, includes, leads_to
from davstore.policy.where import CONVERSATION, Judged, about_threads, judge_of

Homes = Mapping[int, tuple[str, ...]]

_SECOND_US: Final = 1_000_000
_DATE: Final = Fact(Source.MESSAGE, "date_us", conditions.Form.TIME)
_CREATED: Final = Fact(Source.RESOURCE, "created_us", conditions.Form.TIME)
_MODIFIED: Final = Fact(Source.RESOURCE, "modified_us", conditions.Form.TIME)
_WORDS: Final = {int(type_): type_.word for type_ in ResourceType}


class Lens:
    """A view of an area at a time in seconds since the epoch.

    next_s is when the next member leaves it by its age, 0 for none.
    """

    def __init__(self, view: View, at_s: int = 0, next_s: int = 0, *, area: Area = Area.STORE) -> None:
        self.view = view = view.in_area(area)
        self.asks_homes = area == Area.THREADS and view.in_area(Area.STORE).has_scopes
        """Whether the folders of members of threads count (`find_homes`)."""
        self._root = (THREADS,) if area == Area.THREADS else ()
        self.at_s = at_s if view.max_age_seconds is not None else 0
        self.next_s = next_s
        self.is_whole = view == EVERYTHING
        """Whether it shows everything."""
        self._hash = WHOLE if self.is_whole else hash_of(view)
        self._lasting = Stamp(self._hash) if view.max_age_seconds is None else None
        young = [] if view.max_age_seconds is None else [_younger((at_s - view.max_age_seconds) * _SECOND_US)]
        self.where = all_of([one for one in (view.where, *young) if one is not None])
        self._judge = None if self.where is None else judge_of(self.where)
        self._judge_thread = None if self.where is None else judge_of(about_threads(self.where))
        self.withheld_flags = flags_of(view.withheld)
        self._inside: dict[tuple[str, ...], bool] = {}

    @property
    def stamp(self) -> Stamp:
        """What a sync token says of it."""
        return self._lasting or Stamp(self._hash, self.at_s, self.next_s)

    def difference_form(self, unit: Unit, store: StoreFacts, before: Lens, *, base: int) -> Form | None:
        """Return the form that reads the members up to a number of which one of two lenses shows one and not the other.

        None: the databases cannot tell, folders or states differ too, or threads may. Those that both show are not
        read, and so the time at which the next of them will be too old is looked for here.
        """
        if store.area != Area.STORE or (self.view.include, self.view.exclude) != (
            before.view.include,
            before.view.exclude,
        ):
            return None
        if self.view.withheld or before.view.withheld:
            return None
        form = difference_form(self.where, before.where, base=base)
        if form is not None and self.view.max_age_seconds is not None and self.where is not None:
            oldest_us = find_oldest(unit, store, self.where)
            if oldest_us is not None:
                self._note_age(oldest_us, self.view.max_age_seconds)
        return form

    def _note_age(self, time_us: int, max_age_seconds: int) -> None:
        leaves_s = time_us // _SECOND_US + max_age_seconds + 1
        self.next_s = min(self.next_s or leaves_s, leaves_s)

    def reaches(self, names: tuple[str, ...], *, is_collection: bool, home: tuple[str, ...] | None = None) -> bool:
        """Tell whether a place is in the folders or threads of the view, or leads to one of them.

        home holds the names of a member of a thread in its folder, where these count.
        """
        if not self.view.has_scopes:
            return True
        if not is_collection:
            if self.asks_homes and (home is None or not self._lies_inside(home, is_collection=False)):
                return False
            return self._lies_inside((*self._root, *names), is_collection=False)
        known = self._inside.get(names)
        if known is None:
            known = self._inside[names] = self._lies_inside((*self._root, *names), is_collection=True)
        return known

    def _lies_inside(self, names: tuple[str, ...], *, is_collection: bool) -> bool:
        view = self.view
        if any(covers(pattern, names) for pattern in view.exclude):
            return False
        for group in view.include:
            reaches = find_reaches(group, names)
            if reaches is not None and not any(
                includes(one, names) or (is_collection and leads_to(one.pattern, names)) for one in reaches
            ):
                return False
        return True

    def shows(self, judged: Judged) -> bool:
        """Tell whether the facts of a resource are those of a member, and note when it will be too old.

        A collection always is, but for a thread that the condition leaves out.
        """
        if self._judge is None or self._judge_thread is None:
            return True
        if judged.resource.is_collection:
            return judged.resource.type != ResourceType.THREAD or bool(self._judge_thread(judged))
        if self.view.withheld:
            judged = self._without_withheld(judged)
        if not self._judge(judged):
            return False
        if self.view.max_age_seconds is not None:
            date_us = judged.message.get("date_us")
            stored_us = max(judged.resource.created_us, judged.resource.modified_us)
            self._note_age(stored_us if date_us is None else date_us, self.view.max_age_seconds)
        return True

    def mask(self, resource: Resource) -> Resource:
        """Return a resource with the flags that are told."""
        hidden = resource.flags & self.withheld_flags
        return resource._replace(flags=resource.flags & ~hidden) if hidden else resource

    def told(self, facets: Facets) -> Facets:
        """Return the facets that are told."""
        return facets - {facet.KEYWORDS} if KEYWORDS in self.view.withheld else facets

    def _without_withheld(self, judged: Judged) -> Judged:
        resource = judged.resource
        flags = resource.flags & ~self.withheld_flags
        keywords = () if KEYWORDS in self.view.withheld else judged.keywords
        return judged._replace(resource=resource._replace(flags=flags), keywords=keywords)


def _younger(time_us: int) -> Where:
    """Return the condition that a message is of that time or later, and any other file was made or changed since."""
    dated, *stored = (Compare(Comparison.GTE, fact, time_us) for fact in (_DATE, _CREATED, _MODIFIED))
    return Or((dated, And((Not(IsDefined(_DATE)), Or(tuple(stored))))))


def flags_of(states: Iterable[str]) -> int:
    """Return the bits of those states that are flags."""
    words = {state.upper().replace("-", "_") for state in states}
    return sum(flag for flag in Flag if flag.name in words)


WITHOUT: Final = Lens(EVERYTHING)
"""The lens that shows everything, in any area and at any time."""


def lens_on(view: View, now_us: int, area: Area) -> Lens:
    """Return the lens of a view of an area at a time."""
    return WITHOUT if view is EVERYTHING else Lens(view, now_us // _SECOND_US, area=area)


def judge(unit: Unit, store_id: int, rows: Sequence[Any], lenses: Sequence[Lens]) -> list[list[bool]]:
    """Return for each lens which of some rows it shows by their facts alone."""
    if all(lens.where is None for lens in lenses):
        return [[True] * len(rows) for _ in lenses]
    facts = list(_with_facts(unit, store_id, rows, [lens.where for lens in lenses if lens.where is not None]))
    return [[lens.shows(judged) for judged in facts] for lens in lenses]


def _with_facts(unit: Unit, store_id: int, rows: Sequence[Any], wheres: list[Where]) -> Iterator[Judged]:
    """Yield rows with the facts that conditions are about: fields of messages, and keywords."""
    facts = {fact for where in wheres for fact in facts_of(where)}
    fields = tuple(sorted({fact.name for fact in facts if fact.source is Source.MESSAGE}))
    has_keywords = any(fact.source is Source.KEYWORD for fact in facts)
    leaves = [row.node_id for row in rows if not row.is_collection]
    of_messages = messages.list_fields(unit, store_id, leaves, fields) if fields and leaves else {}
    keywords = states.list_keywords(unit, store_id, leaves) if has_keywords and leaves else {}
    threads = [row.node_id for row in rows if row.type == ResourceType.THREAD] if CONVERSATION in facts else []
    if threads:
        found = conversations.list_threads(unit, store_id, threads)
        of_messages |= {node_id: {CONVERSATION.name: one.conversation_id} for node_id, one in found.items()}
    for row in rows:
        yield Judged(row, _WORDS[row.type], of_messages.get(row.node_id, {}), keywords.get(row.node_id, ()))


def find_homes(unit: Unit, store_id: int, rows: Sequence[Any], lenses: Iterable[Lens]) -> Homes:
    """Return the places in folders of the members of threads, by node, where any of some lenses asks for them."""
    if not any(lens.asks_homes for lens in lenses):
        return {}
    return places.find_homes(unit, store_id, [row.node_id for row in rows if not row.is_collection])


def show(
    unit: Unit, store_id: int, lens: Lens, resources: list[Resource], top: Resource | None = None
) -> list[Resource]:
    """Return those of some resources that a lens shows, as it shows them; top is shown whatever it is."""
    if lens.is_whole:
        return resources
    [kept] = judge(unit, store_id, resources, [lens])
    homes = find_homes(unit, store_id, resources, [lens])
    return [
        lens.mask(one)
        for one, is_kept in zip(resources, kept, strict=True)
        if one is top
        or (is_kept and lens.reaches(one.names, is_collection=bool(one.is_collection), home=homes.get(one.node_id)))
    ]
