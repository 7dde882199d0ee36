"""The body of POST: `C:bulk-update` and `C:bulk-delete` (docs/protocol.md#many-resources-at-once)."""

from __future__ import annotations

import pytest

from davstore.errors import Malformed, TooLarge, UnsupportedFilter, UnsupportedOperation
from davstore.model.where import IsCollection
from davstore.protocol.dav import operations
from davstore.protocol.dav.operations import MOST_HREFS, BulkDelete, BulkUpdate, Chosen

SEEN = "<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set>"
UNFLAGGED = "<D:remove><D:prop><C:flagged/></D:prop></D:remove>"
ALL = "<D:where><D:is-collection/></D:where>"


def body(operation: str, content: str) -> bytes:
    return f'<C:{operation} xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{content}</C:{operation}>'.encode()


def test_an_update_of_named_resources() -> None:
    content = f"<D:href> /a </D:href><D:href>http://x/b</D:href>{SEEN}{UNFLAGGED}<x xmlns='urn:x'/>"
    found = operations.parse(body("bulk-update", content))
    assert isinstance(found, BulkUpdate)
    assert found.chosen == Chosen(("/a", "http://x/b"))
    assert [(name, value is None) for name, value in found.changes] == [
        ("{urn:davstore:cpm}seen", False),
        ("{urn:davstore:cpm}flagged", True),
    ]


def test_the_end_of_what_a_condition_selects() -> None:
    assert operations.parse(body("bulk-delete", ALL)) == BulkDelete(Chosen((), IsCollection()))


def test_as_many_hrefs_as_may_be() -> None:
    found = operations.parse(body("bulk-delete", "<D:href>/a</D:href>" * 5_000))
    assert len(found.chosen.hrefs) == 5_000 == MOST_HREFS
    with pytest.raises(TooLarge):
        operations.parse(body("bulk-delete", "<D:href>/a</D:href>" * 5_001))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (body("bulk-update", SEEN), Malformed),
        (body("bulk-update", f"<D:href>/a</D:href>{ALL}{SEEN}"), Malformed),
        (body("bulk-update", f"{ALL}{ALL}{SEEN}"), Malformed),
        (body("bulk-update", "<D:href>/a</D:href>"), Malformed),
        (body("bulk-update", "<D:href>/a</D:href><D:set/>"), Malformed),
        (body("bulk-update", f"<D:href/>{SEEN}"), Malformed),
        (body("bulk-update", f"<D:href><b/></D:href>{SEEN}"), Malformed),
        (body("bulk-delete", ""), Malformed),
        (b"", Malformed),
        (b"<a", Malformed),
        (body("bulk-delete", "<D:where><D:contains>x</D:contains></D:where>"), UnsupportedFilter),
        (body("bulk-create", "<D:href>/a</D:href>"), UnsupportedOperation),
        (b'<propertyupdate xmlns="DAV:"/>', UnsupportedOperation),
        (b"<bulk-delete><href>/a</href></bulk-delete>", UnsupportedOperation),
    ],
)
def test_what_is_no_operation(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        operations.parse(content)
