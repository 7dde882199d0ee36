"""The set forms of the writer: a tree is copied by a fixed number of statements, however many nodes it has."""

from __future__ import annotations

from davstore.engine.writer import Change, Member, Shown, TreeChange, Writer
from davstore.metadata import bodies, properties, trees
from davstore.metadata.nodes import NodeRow
from davstore.model.nodes import AGAIN, Resource, ResourceType
from davstore.policy.preconditions import find_modified_by


def copy(writer: Writer, source: Member, target: Member, *, recursive: bool, modified_us: int | None = None) -> None:
    """Make new resources with the bodies and dead properties of others, in the place of the target.

    The copies are modified now; when the client says when, the one at the target was modified then.
    """
    resource, over = source.get(), target.resource
    writer.end_locks(target.path)
    closed = None if over is None else writer.close(target)
    made = _copy_one(writer, resource, target, over)
    if recursive and resource.is_collection:
        _copy_beneath(writer, resource, made)
    if modified_us is not None:
        writer.set_time(made, modified_us, over=over)
    if over is not None and closed is not None:
        writer.end(over, closed)


def _copy_one(writer: Writer, source: Resource, target: Member, over: Resource | None) -> Resource:
    unit, store_id, now_us = writer.unit, writer.ledger.store_id, writer.context.now_us
    whose = find_modified_by(now_us, client=False, old=over, unmapped_us=writer.ledger.unmapped_us)
    if over is not None and source.is_collection:  # the tree beneath it is not looked at
        whose |= AGAIN
    body_id = bodies.find_body_id(unit, store_id, source.node_id)
    facts = (source.etag, source.length, source.content_type)
    type_ = ResourceType.COLLECTION if source.type == ResourceType.THREAD else source.type  # a thread becomes a folder
    made = writer.map_new(target, NodeRow(bool(source.is_collection), body_id, *facts, now_us, now_us, whose, type_))
    size_bytes = properties.copy_properties(unit, store_id, source.node_id, made.node_id)
    writer.changes.append(Change(None, Shown(made, size_bytes)))
    return made


def _copy_beneath(writer: Writer, source: Resource, made: Resource) -> None:
    """Copy the tree beneath a collection. Each binding has a number of its own."""
    first = writer.ledger.seq + 1
    times = {"modified_us": made.modified_us, "modified_by": made.modified_by}
    copied = trees.copy_beneath(writer.unit, writer.ledger, source.node_id, made.node_id, **times)
    if copied.names:  # the change of a tree without names is its end
        writer.changes.append(TreeChange(first, writer.ledger.seq, copied.names, copied.size_bytes))
