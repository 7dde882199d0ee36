"""The live properties of access control (RFC 3744 §5)."""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.live import STORED, Live, PropertyContext
from davstore.model.acl import EVERYTHING, KnownAce, Privilege, Word
from davstore.model.facets import ACL as ENTRIES
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.principals import NamedPrincipal
from davstore.protocol import urls
from davstore.protocol.dav import acl, names
from davstore.protocol.dav.acl import ShownAce
from davstore.protocol.dav.elements import empty

_OWNERS: Final = ShownAce(Word.OWNER, denies=False, privileges=EVERYTHING.granted, is_protected=True)
_ALL: Final = acl.render_current_user_privilege_set(EVERYTHING.granted)


def _acl(context: PropertyContext, resource: Resource) -> bytes | None:
    if not context.may_read_acl(resource.node_id):
        return None
    known = context.facets.of(ENTRIES).get(resource.node_id, ())
    return acl.render_acl([_OWNERS, *(_shown(context, one) for one in known)])


def _shown(context: PropertyContext, known: KnownAce) -> ShownAce:
    who, ace, inherited = known
    spelled = (
        context.spelling.href(urls.segments_of_principal(who), slash=True) if isinstance(who, NamedPrincipal) else who
    )
    above = None
    if inherited is not None and context.store is not None:
        area, place = inherited
        above = context.spelling.href(urls.segments_of(Path(context.store.owner, place, area)), slash=True)
    return ShownAce(spelled, ace.denies, ace.privileges, ace.expires_us, ace.filter, inherited=above)


def _own(context: PropertyContext, _kind: Kind) -> bytes | None:
    return _ALL if context.rights is None else None


def _own_of(context: PropertyContext, resource: Resource) -> bytes | None:
    found = None if context.rights is None else context.rights.get(resource.node_id)
    if found is None or found.denied & Privilege.READ_OWN:
        return None
    return acl.render_current_user_privilege_set(found.granted & ~found.denied)


ACCESS: Final = (
    Live(names.ACL, STORED, each=_acl, facet=ENTRIES),
    Live(names.CURRENT_USER_PRIVILEGE_SET, STORED, same=_own, each=_own_of),
    Live(names.SUPPORTED_PRIVILEGE_SET, STORED, same=lambda _context, _kind: acl.SUPPORTED_PRIVILEGE_SET),
    Live(names.ACL_RESTRICTIONS, STORED, same=lambda _context, _kind: acl.ACL_RESTRICTIONS),
    Live(names.INHERITED_ACL_SET, STORED, same=lambda _context, _kind: empty(names.INHERITED_ACL_SET)),
)
