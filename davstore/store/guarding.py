"""What must hold before a method acts: conditions of HTTP and `If` lists, judged in the unit that acts.

Conditions are judged on unmapped URLs too (RFC 4918 §10.4.4), and after authorization (RFC 4918 §8.5).
"""

from __future__ import annotations

from davstore.errors import InvalidSyncToken, MethodNotAllowed, NameNotAllowed, ParentMissing, PreconditionFailed
from davstore.metadata import bindings
from davstore.metadata.bindings import Place
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, IfCondition, IfList, Preconditions
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import MAX_NAME_BYTES, Path
from davstore.policy.preconditions import Verdict, judge
from davstore.protocol import sync_token
from davstore.store.syncing import is_current


def require(unit: Unit, facts: StoreFacts, resource: Resource | None, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless the conditions hold for the resource of the request (None: unmapped)."""
    if conditions is NONE:
        return
    verdict = judge(
        conditions,
        exists=resource is not None,
        etag=None if resource is None else resource.etag,
        modified_us=None if resource is None else resource.modified_us,
        safe=False,
    )
    if verdict is not Verdict.PASS:
        raise PreconditionFailed("the conditions of the request do not hold")
    require_list(unit, facts, conditions)


def require_list(unit: Unit, facts: StoreFacts, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless a list of the `If` header holds, or there is none; readers need no more."""
    if conditions.if_lists is not None and not any(_holds(unit, facts, one) for one in conditions.if_lists):
        raise PreconditionFailed("no list of the If header holds")


def _holds(unit: Unit, facts: StoreFacts, one: IfList) -> bool:
    path = one.path if one.path is not None and one.path.store == facts.owner else None  # others are as if unmapped
    resource = None if path is None else bindings.resolve(unit, facts, path.names).resource
    return all(_met(unit, facts, path, resource, condition) != condition.negated for condition in one.conditions)


def _met(unit: Unit, facts: StoreFacts, path: Path | None, resource: Resource | None, condition: IfCondition) -> bool:
    if condition.etag is not None:
        return resource is not None and resource.etag == condition.etag
    if condition.token is None or path is None or resource is None or not resource.is_collection:
        return False
    try:
        token = sync_token.parse(condition.token)
    except InvalidSyncToken:
        return False
    return is_current(unit, facts, path.names, token)


def require_parent(place: Place, path: Path) -> int:
    """Return the node of the collection that holds path's last name.

    Raises:
        MethodNotAllowed: path is the root of the store, which no method makes or replaces.
        ParentMissing: a collection on the way does not exist.
        NameNotAllowed: the name is too long for a device.
    """
    if not path.names:
        raise MethodNotAllowed
    if len(place.steps) != len(path.names):
        raise ParentMissing(path.name)
    if place.resource is None and len(path.name.encode()) > MAX_NAME_BYTES:
        raise NameNotAllowed(path.name)
    return place.steps[-1].node_id
