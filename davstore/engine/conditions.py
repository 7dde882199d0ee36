"""The conditions of a request: those of HTTP and the `If` lists of WebDAV, judged in the unit that acts.

Conditions are judged on unmapped URLs too (RFC 4918 §10.4.4), and after authorization (RFC 4918 §8.5).
"""

from __future__ import annotations

from davstore.engine.context import Context
from davstore.engine.locks import find_covering, list_held, own_locks
from davstore.engine.parts import find_part
from davstore.engine.rights import find_sight
from davstore.engine.sight import Sight
from davstore.engine.viewing import find_unsettled
from davstore.engine.writer import Writer
from davstore.errors import InvalidSyncToken, PreconditionFailed
from davstore.metadata import bindings
from davstore.metadata.bindings import Resolved
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, IfCondition, IfList, Preconditions
from davstore.model.facets import MESSAGE
from davstore.model.locks import Lock
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area, PartPath, Path
from davstore.policy.preconditions import Verdict, judge
from davstore.protocol.dav import modseq_token, sync_token
from davstore.sync.report import is_current


def require_met(writer: Writer, resource: Resource | PartResource | None, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless the conditions hold for the resource of the request (None: unmapped)."""
    if conditions is NONE:
        return
    verdict = judge(
        conditions,
        exists=resource is not None,
        etag=None if resource is None else resource.etag,
        modified_us=None if resource is None else resource.modified_us,
        modified_by=0 if resource is None else resource.modified_by,
        now_us=writer.context.now_us,
        safe=False,
    )
    if verdict is not Verdict.PASS:
        raise PreconditionFailed("the conditions of the request do not hold")
    if conditions.if_lists is not None:
        _require_list(writer.context, writer.unit, writer.ledger.facts, writer.held(), conditions.if_lists)


def require_list(context: Context, unit: Unit, facts: StoreFacts, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless a list of the `If` header holds, or there is none; readers need no more."""
    if conditions.if_lists is not None:
        _require_list(context, unit, facts, list_held(context, unit, facts), conditions.if_lists)


def _require_list(context: Context, unit: Unit, facts: StoreFacts, held: list[Lock], lists: tuple[IfList, ...]) -> None:
    own, sight = own_locks(context, held), find_sight(context, unit, facts)
    if not any(_holds(context, unit, facts, own, one, sight) for one in lists):
        raise PreconditionFailed("no list of the If header holds")


def _holds(context: Context, unit: Unit, facts: StoreFacts, own: list[Lock], one: IfList, sight: Sight | None) -> bool:
    path = one.path.path if isinstance(one.path, PartPath) else one.path
    path = path if path is not None and path.store == facts.owner else None  # as if unmapped
    place = Resolved([], None, None) if path is None else bindings.resolve(unit, facts, path)
    if sight is not None and path is not None and not sight.opens(place, path.area):
        place = Resolved([], None, None)
    etag = _etag_of(unit, facts, place.resource, one.path)
    states = {lock.token for lock in find_covering(unit, facts.id, own, place)}
    return all(
        _met(context, unit, facts, path, place, etag, states, condition, sight) != condition.negated
        for condition in one.conditions
    )


def _etag_of(unit: Unit, facts: StoreFacts, resource: Resource | None, path: Path | PartPath | None) -> str | None:
    """Return the entity tag at a place; a part has one of its own, and the states of its message."""
    if resource is None or not isinstance(path, PartPath):
        return None if resource is None else resource.etag
    found = find_part(load(unit, facts, {MESSAGE}, [resource.node_id], now_us=0), resource, path.number)
    return None if found is None else found[0].etag


def _met(
    context: Context,
    unit: Unit,
    facts: StoreFacts,
    path: Path | None,
    place: Resolved,
    etag: str | None,
    states: set[str],
    condition: IfCondition,
    sight: Sight | None,
) -> bool:
    resource = place.resource
    if condition.etag is not None:
        return etag == condition.etag
    if condition.token in states:
        return True
    if condition.token is None or path is None or resource is None:
        return False
    number = modseq_token.find_number(condition.token)
    if number is not None:
        return resource.modseq <= number
    if not resource.is_collection:
        return False
    try:
        token = sync_token.parse(condition.token)
    except InvalidSyncToken:
        return False
    if sight is None:
        return is_current(unit, facts, path, token)
    if path.area is Area.THREADS or not sight.lists(place, path.area):
        return False
    facts, see = find_unsettled(context, unit, facts, sight)
    return is_current(unit, facts, path, token, see)
