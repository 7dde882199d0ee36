"""A page rendered by column is byte for byte what its resources are rendered to one by one, on both databases."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, update

from davstore.dav.bulk import Bulk, columns_of, write_changes
from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF
from davstore.dav.properties.live import PropertyContext
from davstore.dav.rendering import Hrefs, Plan, facets_of, write_stored
from davstore.metadata import bindings, nodes, properties, states, stores
from davstore.metadata import messages as messages_table
from davstore.metadata import unit as transaction
from davstore.metadata.bodies import Stored, insert_body
from davstore.metadata.nodes import NodeRow
from davstore.metadata.statements import Write
from davstore.metadata.stores import Ledger
from davstore.metadata.tables import node
from davstore.metadata.unit import Unit
from davstore.model.changes import Level
from davstore.model.messages import MessageFacts
from davstore.model.nodes import ResourceType
from davstore.model.states import Flag
from davstore.protocol.dav.hrefs import Spelling, parse_target
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.names import KEYWORD, clark
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.store import reading, syncing
from tests.contract.storage import Storage

ROOT = ("dav", "store", "me")
DEAD = "{urn:x}%s"
EMPTY = Stored(b"", None, 0, "0" * 64)
KEYWORDS = ("x", "ä")
SET_FLAGS = Write(
    update(node).where(node.c.store_id == bindparam("s"), node.c.id == bindparam("n")).values(flags=bindparam("f"))
)
TYPES = ("text/plain", 'text/x; a="<&>"', "x", "%s", None)
YEAR_1_US, YEAR_9999_US = -62_135_596_800_000_000, 253_402_300_799_999_999

names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/")
    | st.sampled_from(" %'\"&<>;#?+äß\x80\x9f😀"),
    min_size=1,
    max_size=12,
)
times = st.integers(YEAR_1_US, YEAR_9999_US) | st.sampled_from([0, -1, 999_999, YEAR_1_US, YEAR_9999_US])
rows = st.builds(
    NodeRow,
    is_collection=st.booleans(),
    body_id=st.none(),
    etag=st.sampled_from(["0" * 64, "a"]),
    length=st.sampled_from([0, 1, 2**40]),
    content_type=st.sampled_from(TYPES),
    created_us=times,
    modified_us=times,
    modified_by=st.just(0),
    type=st.just(ResourceType.MEDIA),
    flags=st.integers(0, sum(Flag)),
).map(lambda row: row._replace(type=ResourceType.COLLECTION, flags=0) if row.is_collection else row)
texts = st.none() | st.sampled_from(["<a&b>", "%s", "ä ]]>", "x", "я😀\r", "ä" * 40])
messages = st.none() | st.builds(
    lambda kind, date_us, from_, subject, references, size: MessageFacts(
        kind, date_us, from_, subject=subject, references=references, size=size
    ),
    st.sampled_from([ResourceType.MESSAGE, ResourceType.IMDN]),
    st.none() | times,
    texts,
    texts,
    texts,
    st.none() | st.integers(0, 2**60),
)
questions = st.lists(
    st.sampled_from([*LIVE_OF[Kind.RESOURCE], *LIVE_OF[Kind.COLLECTION], "{DAV:}displayname", DEAD, "none"])
    | st.sampled_from([clark(KEYWORD, word) for word in (*KEYWORDS, "none")]),
    max_size=6,
    unique=True,
).map(lambda asked: PropFind(PropFindKind.PROP, tuple(asked)))


members_of = st.dictionaries(
    names,
    st.tuples(rows, st.booleans(), messages, st.integers(0, sum(Flag)), st.sets(st.sampled_from(KEYWORDS))),
    max_size=8,
)
"""The members of a collection: rows, whether each has a dead property, the facts of its body, flags and keywords."""


def fill(storage: Storage, name: str, members: Members) -> None:
    """Make a collection that holds members as they are given, and another one with the like of them."""

    def work(unit: Unit) -> None:
        ledger = stores.lock(unit, "me")
        top = insert(unit, ledger, ledger.facts.root_id, name, nodes.empty_collection(now_us=0))
        inner = insert(unit, ledger, top, "inner", nodes.empty_collection(now_us=0))
        for member, (row, has_property, facts, flags, keywords) in members.items():
            for parent in (top, inner):
                embodied = row
                if not row.is_collection:
                    type_ = row.type if facts is None else facts.kind
                    embodied = row._replace(body_id=insert_body(unit, ledger, EMPTY, facts), type=type_)
                node_id = insert(unit, ledger, parent, f"{member}.", embodied)
                if has_property:
                    properties.set_properties(unit, ledger.store_id, {node_id: {DEAD: b"<x>%s</x>"}})
                if not row.is_collection:
                    unit.run(SET_FLAGS, {"s": ledger.store_id, "n": node_id, "f": flags})
                    states.change_keywords(unit, ledger, [node_id], added=keywords, dropped=())
        stores.settle(unit, ledger, now_us=0)

    storage.database.write(work)


def insert(unit: Unit, ledger: Ledger, parent: int, name: str, row: NodeRow) -> int:
    """Make a resource; a collection has no etag, length and type."""
    is_collection = row.is_collection
    stored = row._replace(etag=None, length=None, content_type=None) if is_collection else row
    node_id, _ = nodes.insert_node(unit, ledger, stored)
    bindings.bind(unit, ledger, parent, name, node_id=node_id, is_collection=is_collection)
    return node_id


def listing(question: PropFind, hrefs: Hrefs, storage: Storage, name: str, *, by_column: bool, minimal: bool) -> bytes:
    """Return the responses of a collection and its members, in one of the two ways."""
    written: list[bytes] = []
    answer = Multistatus(written.append)
    for page in reading.describe(
        storage.context,
        storage.at(name),
        depth=1,
        facets=facets_of(question),
        columns=columns_of(question) if by_column else None,
    ):
        context = PropertyContext(storage.context.asker, page.facts, page.facets)
        plan = Plan(question, context, minimal=minimal)
        assert by_column or page.columns is None
        if page.columns is None:
            write_stored(answer, plan, hrefs, page.resources)
        else:
            answer.add(Bulk(plan, hrefs).render(page.columns))
    answer.close()
    return b"".join(written)


Members = dict[str, tuple[NodeRow, bool, MessageFacts | None, int, set[str]]]
counter = itertools.count()


def report(question: PropFind, hrefs: Hrefs, storage: Storage, name: str, *, by_column: bool, minimal: bool) -> bytes:
    """Return some pages of a report of a collection, rendered in one of the two ways."""
    written: list[bytes] = []
    answer = Multistatus(written.append)
    token, goes_on = None, True
    while goes_on:
        changes = syncing.changes_since(
            storage.context,
            storage.at(name),
            token,
            level=Level.INFINITE,
            limit=3,
            facets=facets_of(question),
            columns=columns_of(question) if by_column else None,
        )
        assert by_column or changes.columns is None
        context = PropertyContext(storage.context.asker, changes.facts, changes.facets)
        write_changes(answer, Plan(question, context, minimal=minimal), hrefs, changes)
        token, goes_on = changes.token, changes.truncated
    answer.close()
    return b"".join(written)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=members_of, question=questions, minimal=st.booleans(), room=st.sampled_from([30, 2 << 20]))
def test_both_ways_render_the_same_bytes(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, members: Members, question: PropFind, minimal: bool, room: int
) -> None:
    monkeypatch.setattr(transaction, "PAGE_ROWS", 3)
    monkeypatch.setattr(messages_table, "COLUMN_CHARACTERS", room)
    storage.is_clean = False  # its etags are of no bodies
    name = f"c{next(counter)}"
    fill(storage, name, members)
    hrefs = Hrefs(Spelling(parse_target(f"/dav//store/%6de/{name}/")), ROOT)
    for answer in (listing, report, listing, report):  # from the facts, and from the texts that were kept of them
        ways = [answer(question, hrefs, storage, name, by_column=way, minimal=minimal) for way in (True, False)]
        assert ways[0] == ways[1]
