"""The sight that an asker has of a store that it does not own: its rights along chains of folders (docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from davstore.errors import NotFound
from davstore.errors.rights import Lack
from davstore.metadata import aces, places
from davstore.metadata.bindings import Resolved, Step
from davstore.metadata.unit import Unit
from davstore.model.acl import NONE, Ace, Privilege, Rights
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area, Path
from davstore.model.views import View
from davstore.model.visibility import Hides
from davstore.model.where import Or, Where
from davstore.policy import needs


class Standing(NamedTuple):
    """A place as an asker may know of it, and its rights there: on the last collection on the way, and on the resource.

    resource is None where nothing is that it may know of. is_hidden: nor is there anything on the way. is_barred: a
    resource that is hidden has the name, so that nothing can be made there.
    """

    place: Resolved
    parent: Rights
    resource: Rights | None
    is_hidden: bool = False
    is_barred: bool = False


class Sight:
    """The entries of a store that name an asker who is not its owner, by node, as one snapshot saw them."""

    def __init__(self, unit: Unit, facts: StoreFacts, entries: Mapping[int, Sequence[Ace]]) -> None:
        self._unit = unit
        self._facts = facts
        self._entries = entries
        self._own = {node_id: rights_of(own) for node_id, own in entries.items()}

    def hidden(self) -> Iterator[tuple[int, Hides]]:
        """Yield the nodes that entries of their own hide, wherever they are, or what lies beneath them."""
        for node_id, own in sorted(self._own.items()):
            if own.denied & Privilege.ACCESS:
                yield node_id, Hides.RESOURCE
            if own.denied & Privilege.LIST:
                yield node_id, Hides.MEMBERS

    def along(self, node_ids: Iterable[int], above: Rights = NONE) -> Rights:
        """Return the rights at the end of a chain of nodes, each of which inherits the entries of those above."""
        return reduce(self.below, node_ids, above)

    def below(self, above: Rights, node_id: int) -> Rights:
        """Return the rights on a node that inherits others."""
        own = self._own.get(node_id)
        return above if own is None else above.with_(own)

    def at(self, place: Resolved, area: int) -> Standing:
        """Return the standing at a place. A member of a thread inherits from its folder, not from the thread.

        What is hidden beneath something that is known is not there, and so is all beneath it.
        """
        resource = place.resource
        if area == Area.THREADS and resource is not None and not resource.is_collection:
            [(parent, own)] = self.each([resource.node_id])
            return Standing(place, parent, own, is_hidden=needs.is_hidden(parent, own))
        above, rights, is_known = NONE, NONE, False
        way = [*place.steps, *([] if place.last is None else [place.last])]
        for at, step in enumerate(way):
            above, rights = rights, self.below(rights, step.node_id)
            is_hidden = needs.is_hidden(above, rights)
            if is_hidden and is_known:
                return Standing(Resolved(way[:at], None, None), above, None, is_barred=step is place.last)
            is_known = is_known or not is_hidden
        if resource is None:
            return Standing(place, rights, None, is_hidden=not is_known)
        return Standing(place, above, rights, is_hidden=not is_known)

    def knows(self, place: Resolved, area: int) -> bool:
        """Tell whether the asker may know of a place, or of something on the way to it."""
        return not self.at(place, area).is_hidden

    def opens(self, place: Resolved, area: int) -> bool:
        """Tell whether the asker may read the resource at a place."""
        standing = self.at(place, area)
        return standing.resource is not None and standing.resource.has(Privilege.ACCESS)

    def lists(self, place: Resolved, area: int) -> bool:
        """Tell whether the asker may list the collection at a place, within a filter or not."""
        own = self.at(place, area).resource
        return own is not None and own.has(Privilege.ACCESS | Privilege.LIST_FILTERED)

    def opened(self, resources: Sequence[Resource], area: Area) -> list[Resource]:
        """Return those of some URLs that the asker may read; none inside threads, which others may not know."""
        asked = [one for one in resources if area is Area.STORE or one.is_collection]
        rights = self.each([one.node_id for one in asked])
        return [one for one, (_, own) in zip(asked, rights, strict=True) if own.has(Privilege.ACCESS)]

    def each(self, node_ids: Sequence[int]) -> Iterator[tuple[Rights, Rights]]:
        """Yield the rights on the collection above each of some nodes, by the area of the store, and on the node."""
        chains = aces.list_home_chains(self._unit, self._facts.id, node_ids)
        for node_id in node_ids:
            parent = self.along(chains[node_id])
            yield parent, self.below(parent, node_id)

    def on(self, node_ids: Iterable[int]) -> dict[int, Rights]:
        """Return the rights on some nodes."""
        ids = [*node_ids]
        return {node_id: own for node_id, (_, own) in zip(ids, self.each(ids), strict=True)}

    @property
    def named(self) -> frozenset[int]:
        """The numbers of the principals whose entries hold for the asker."""
        return frozenset([one.principal_id for own in self._entries.values() for one in own])

    def list_denying(self, resource: Resource, privileges: int) -> list[int]:
        """Return the nodes beneath a collection with entries that deny one of some privileges."""
        denying = [node_id for node_id, own in self._own.items() if own.denied & privileges]
        if not denying or not resource.is_collection:
            return []
        chains = aces.list_home_chains(self._unit, self._facts.id, denying)
        return [node_id for node_id in denying if resource.node_id in chains[node_id]]

    def find_denied_beneath(self, top: Path, resource: Resource, privileges: int) -> Lack | None:
        """Return a privilege that an entry beneath a collection denies, of some; None: no entry does.

        The resource that is named is the collection itself where the asker may not know of the one beneath.
        """
        for node_id in self.list_denying(resource, privileges):
            denied = self._own[node_id].denied & privileges
            own = denied & ~Privilege.UNBIND  # that of a folder is for its members
            one = Privilege(own & -own or denied)
            [(above, rights)] = self.each([node_id])
            if needs.is_hidden(above, rights):
                return Lack(top, True, one)  # noqa: FBT003  it is a collection
            found = places.list_in_store(self._unit, self._facts, [node_id])[node_id]
            return Lack(top._replace(names=found.names), bool(found.is_collection), one)
        return None

    def beneath(self, place: Resolved, area: int) -> Beneath:
        """Return what the asker sees beneath a resource that it may read."""
        resource, standing = place.resource, self.at(place, area)
        if resource is None or standing.resource is None:
            raise NotFound("nothing is there")
        filters = [own for step in (*place.steps, place.last) for own in self._filters(step)]
        return Beneath(self, resource, standing.resource, area, filters)

    def _filters(self, step: Step | None) -> list[Where | None]:
        own = () if step is None else self._entries.get(step.node_id, ())
        return [one.filter for one in own if not one.denies and one.privileges & Privilege.LIST_FILTERED]


class Beneath:
    """The resources beneath one that its asker may know of. They are asked about from above down."""

    def __init__(self, sight: Sight, top: Resource, rights: Rights, area: int, filters: Sequence[Where | None]) -> None:
        self.sight = sight
        self._top = top
        self._area = area
        self._lists_all = rights.has(Privilege.LIST)
        self._needed = Privilege.LIST if self._lists_all else Privilege.LIST_FILTERED
        self._filters = [one for one in filters if one is not None]
        self._known = {top.names: rights}
        self.rights = {top.node_id: rights}
        """The rights on the resources that were shown, by node."""

    def narrowed(self, view: View) -> View:
        """Return a view within the filters that bound the asker's listings here (`C:list-filtered`)."""
        if self._lists_all or not self._filters:
            return view
        bound = self._filters[0] if len(self._filters) == 1 else Or(tuple(self._filters))
        return view.narrowed(View(where=bound))

    def is_listed(self, view: View) -> bool:
        """Tell whether members are listed: all, or those that a filter chooses."""
        rights = self._known[self._top.names]
        return self._lists_all or (rights.has(Privilege.LIST_FILTERED) and view.where is not None)

    def shown(self, resources: Sequence[Resource]) -> tuple[list[Resource], list[Resource]]:
        """Return those of some resources that the asker may read, and those that it may know of and not read."""
        folders, opened, refused = self._of_messages(resources), [], []
        for one in sorted(resources, key=lambda one: len(one.parent)):
            if one.node_id == self._top.node_id and one.names == self._top.names:
                opened.append(one)
                continue
            above = self._known.get(one.parent)
            if above is None or not above.has(self._needed):
                continue
            parent, own = folders.get(one.node_id) or (above, self.sight.below(above, one.node_id))
            if needs.is_hidden(parent, own):
                continue
            if not own.has(Privilege.ACCESS):
                refused.append(one)
                continue
            opened.append(one)
            self.rights[one.node_id] = own
            if one.is_collection:
                self._known[one.names] = own
        return opened, refused

    def _of_messages(self, resources: Sequence[Resource]) -> dict[int, tuple[Rights, Rights]]:
        """Return the rights on the folder of each member of a thread, and on the member."""
        if self._area != Area.THREADS:
            return {}
        ids = [one.node_id for one in resources if not one.is_collection]
        return dict(zip(ids, self.sight.each(ids), strict=True))


def rights_of(entries: Iterable[Ace]) -> Rights:
    """Return the rights that entries give and take."""
    granted = denied = 0
    for one in entries:
        if one.denies:
            denied |= one.privileges
        else:
            granted |= one.privileges
    return Rights(granted, denied)
