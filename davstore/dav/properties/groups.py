"""The live properties of groups and lists, and of the principals that they hold (RFC 3744 §4.3, §4.4)."""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.live import ANY_PRINCIPAL, HOLDING, Live, PropertyContext
from davstore.model.principals import NamedPrincipal, PrincipalList
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, text_element
from davstore.protocol.urls import Fixed


def find_list(context: PropertyContext, place: Fixed) -> PrincipalList | None:
    """Return the list that a principal is; None: it is none."""
    name = place.segments[-1] if urls.is_list(place) else None
    return next((one for one in context.principal.lists if one.name == name), None)


def _members(context: PropertyContext, place: Fixed) -> bytes:
    named = urls.find_principal(place.segments)
    held = context.list_members().get(named, ()) if isinstance(named, NamedPrincipal) else ()
    return element(names.GROUP_MEMBER_SET, *(context.href(urls.segments_of_principal(one)) for one in held))


def _memberships(context: PropertyContext, place: Fixed) -> bytes:
    named = urls.find_principal(place.segments)
    holding = [urls.segments_of_principal(one) for one, held in context.list_members().items() if named in held]
    return element(names.GROUP_MEMBERSHIP, *map(context.href, holding))


def _kind(context: PropertyContext, place: Fixed) -> bytes | None:
    found = find_list(context, place)
    return None if found is None or found.kind is None else text_element(names.LIST_KIND, found.kind)


GROUPS: Final = (
    Live(names.GROUP_MEMBER_SET, HOLDING, each=_members, leads=True),
    Live(names.GROUP_MEMBERSHIP, ANY_PRINCIPAL, each=_memberships, leads=True),
    Live(names.LIST_KIND, frozenset({Kind.LIST}), each=_kind),
)
