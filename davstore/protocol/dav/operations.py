"""The body of POST: an operation on a collection, which its root element names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lxml import etree

from davstore.errors import Malformed, TooLarge, UnsupportedOperation
from davstore.model.where import Where
from davstore.protocol.dav import names, proppatch, where, xml

MOST_HREFS: Final = 5_000


class Chosen(NamedTuple):
    """The resources that an operation is about: the texts of hrefs, or those that a condition selects."""

    hrefs: tuple[str, ...] = ()
    where: Where | None = None


class BulkUpdate(NamedTuple):
    """The changes of properties for each of many resources, in document order, as `proppatch.parse` returns them."""

    chosen: Chosen
    changes: list[tuple[str, bytes | None]]


class BulkDelete(NamedTuple):
    """The end of many resources."""

    chosen: Chosen


Operation = BulkUpdate | BulkDelete


def parse(body: bytes) -> Operation:
    """Return the operation of a body.

    Raises:
        UnsupportedOperation: one that this server does not have.
        Malformed, ExternalEntities, TooLarge: see `xml.parse` and `proppatch.read`; neither hrefs nor exactly one
            where; an href that holds no text; an update without a property; more than 5,000 hrefs.
        UnsupportedFilter: a condition that this server does not know.
    """
    root = xml.parse(body)
    if root is None:
        raise Malformed("a POST without a body")
    read = _OPERATIONS.get(str(root.tag))
    if read is None:
        raise UnsupportedOperation(f"operation {root.tag}")
    return read(root)


def _update(root: etree._Element) -> BulkUpdate:
    changes = proppatch.read(root)
    if not changes:
        raise Malformed("a bulk-update without a property")
    return BulkUpdate(_chosen(root), changes)


def _chosen(root: etree._Element) -> Chosen:
    hrefs, conditions = hrefs_of(root), list(root.iterchildren(names.WHERE))
    if len(conditions) + bool(hrefs) != 1:
        raise Malformed("an operation on neither hrefs nor one where")
    return Chosen(hrefs, where.parse(conditions[0]) if conditions else None)


def hrefs_of(root: etree._Element) -> tuple[str, ...]:
    """Return the texts of the hrefs of an element. Raises Malformed: one without; TooLarge: more than 5,000."""
    found = list(root.iterchildren(names.HREF))
    if len(found) > MOST_HREFS:
        raise TooLarge(f"more than {MOST_HREFS} hrefs")
    return tuple(map(_href, found))


def _href(element: etree._Element) -> str:
    text = (element.text or "").strip(" \t\r\n")
    if len(element) or not text:
        raise Malformed("an href without a URL")
    return text


_OPERATIONS: Final[dict[str, Callable[[etree._Element], Operation]]] = {
    names.BULK_UPDATE: _update,
    names.BULK_DELETE: lambda root: BulkDelete(_chosen(root)),
}
"""The readers of operations, by the root element of the body."""
