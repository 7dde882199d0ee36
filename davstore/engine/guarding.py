"""What must hold before a method acts: conditions of HTTP, `If` lists and locks, judged in the unit that acts.

Conditions are judged on unmapped URLs too (RFC 4918 §10.4.4), and after authorization (RFC 4918 §8.5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from davstore.engine.context import Context
from davstore.errors import (
    InvalidSyncToken,
    Locked,
    Malformed,
    MethodNotAllowed,
    NameNotAllowed,
    ParentMissing,
    PreconditionFailed,
    TreeTooLarge,
)
from davstore.metadata import bindings, locks, trees
from davstore.metadata.bindings import Resolved
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, IfCondition, IfList, Preconditions
from davstore.model.locks import Lock
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import MAX_NAME_BYTES, Path
from davstore.policy.preconditions import Verdict, judge
from davstore.protocol.dav import sync_token
from davstore.sync.report import is_current


def require(
    context: Context, unit: Unit, facts: StoreFacts, resource: Resource | None, conditions: Preconditions
) -> None:
    """Raise PreconditionFailed unless the conditions hold for the resource of the request (None: unmapped)."""
    if conditions is NONE:
        return
    verdict = judge(
        conditions,
        exists=resource is not None,
        etag=None if resource is None else resource.etag,
        modified_us=None if resource is None else resource.modified_us,
        modified_by=0 if resource is None else resource.modified_by,
        now_us=context.now_us,
        safe=False,
    )
    if verdict is not Verdict.PASS:
        raise PreconditionFailed("the conditions of the request do not hold")
    require_list(context, unit, facts, conditions)


def require_list(context: Context, unit: Unit, facts: StoreFacts, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless a list of the `If` header holds, or there is none; readers need no more."""
    if conditions.if_lists is None:
        return
    held = list_held(context, unit, facts.id)
    own = [lock for lock in held if lock.user_id == context.asker.user.id]
    if not any(_holds(unit, facts, own, one) for one in conditions.if_lists):
        raise PreconditionFailed("no list of the If header holds")


def _holds(unit: Unit, facts: StoreFacts, own: list[Lock], one: IfList) -> bool:
    path = one.path if one.path is not None and one.path.store == facts.owner else None  # others are as if unmapped
    place = Resolved([], None, None) if path is None else bindings.resolve(unit, facts, path.names)
    states = {lock.token for lock in find_covering(unit, facts.id, own, place)}
    return all(
        _met(unit, facts, path, place.resource, states, condition) != condition.negated for condition in one.conditions
    )


def _met(
    unit: Unit,
    facts: StoreFacts,
    path: Path | None,
    resource: Resource | None,
    states: set[str],
    condition: IfCondition,
) -> bool:
    if condition.etag is not None:
        return resource is not None and resource.etag == condition.etag
    if condition.token in states:
        return True
    if condition.token is None or path is None or resource is None or not resource.is_collection:
        return False
    try:
        token = sync_token.parse(condition.token)
    except InvalidSyncToken:
        return False
    return is_current(unit, facts, path, token)


def list_held(context: Context, unit: Unit, store_id: int) -> list[Lock]:
    """Return the locks that are held in a store."""
    return locks.list_locks(unit, store_id, now_us=context.now_us)


def find_covering(unit: Unit, store_id: int, held: list[Lock], place: Resolved) -> list[Lock]:
    """Return those of the locks that protect what is at a place; of an unmapped one, what would be there."""
    if not held:
        return []
    if place.resource is None:
        node_id, above = None, {step.node_id for step in place.steps}
    else:
        node_id = place.resource.node_id
        above = bindings.list_above(unit, store_id, [node_id])[node_id]
    return [lock for lock in held if lock.covers(node_id, above)]


def submitted_tokens(conditions: Preconditions) -> set[str]:
    """Return the state tokens in the `If` header: they count as submitted wherever they stand (RFC 4918 §10.4.1)."""
    lists = conditions.if_lists or ()
    return {condition.token for one in lists for condition in one.conditions if condition.token is not None}


def require_unlocked(
    context: Context,
    unit: Unit,
    store_id: int,
    conditions: Preconditions,
    *,
    nodes: Collection[int],
    trees: Collection[int] = (),
) -> list[Lock]:
    """Return the locks of the store, if none is in the way of changing nodes, and trees with all beneath them.

    A collection changes when a member is mapped or unmapped. A lock is in the way along every binding of its node
    until its own user submits its token; of shared ones on the same resource, one token is enough (RFC 4918 §7).

    Raises:
        Locked.
    """
    held = list_held(context, unit, store_id)
    if not held:
        return held
    submitted = submitted_tokens(conditions)
    mine = {lock.token for lock in held if lock.user_id == context.asker.user.id and lock.token in submitted}
    locked = {lock.node_id for lock in held} if trees else set()
    above = bindings.list_above(unit, store_id, {*nodes, *trees, *locked})
    inside = [node_id for node_id in locked if not above[node_id].isdisjoint(trees)]
    blocking: set[Lock] = set()
    for node_id in {*nodes, *trees, *inside}:
        covering = [lock for lock in held if lock.covers(node_id, above[node_id])]
        if not any(lock.token in mine for lock in covering):
            blocking.update(covering)
    if blocking:
        raise Locked(roots_of(blocking))
    return held


def require_within(context: Context, unit: Unit, store_id: int, *tops: Resource | None) -> None:
    """Raise TreeTooLarge unless a request may touch all of these trees together (None: nothing is there)."""
    left = context.services.limits.tree_nodes
    for top in tops:
        if top is not None:
            left -= 1
        if top is not None and top.is_collection:
            left -= trees.count_beneath(unit, store_id, top.node_id, limit=max(left, 0) + 1)
    if left < 0:
        raise TreeTooLarge(f"more than {context.services.limits.tree_nodes} nodes")


def roots_of(found: Iterable[Lock]) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Return where locks were taken, each URL once, as `Locked` tells it."""
    return tuple(sorted({(lock.root, lock.is_collection) for lock in found}))


def end_locks(unit: Unit, store_id: int, held: list[Lock], *unmapped: Path) -> None:
    """End the locks that were taken at places that are unmapped now, or beneath them (RFC 4918 §7.6, §9.6)."""
    gone = [lock.token for lock in held if any(lock.lies_beneath(path.names) for path in unmapped)]
    locks.remove_locks(unit, store_id, gone)


def require_depth(resource: Resource, depth: int | None, *allowed: int) -> None:
    """Raise Malformed when a collection is not to be taken whole (depth None), nor to another depth that is allowed.

    Of anything else the depth says nothing (RFC 4918 §9.6.1, §9.8.3, §9.9.2): programs that list with Depth 0 send it
    with every method.
    """
    if resource.is_collection and depth is not None and depth not in allowed:
        raise Malformed(f"Depth {depth} for a collection")


def require_parent(place: Resolved, path: Path) -> int:
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
