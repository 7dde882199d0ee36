"""PUT, GET, DELETE, MKCOL and PROPPATCH: what one resource promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from davstore.blobs.local import LocalBlobs, LocalReader
from davstore.errors import (
    AlreadyExists,
    CorruptBlob,
    DavstoreError,
    IsCollection,
    IsRoot,
    LimitNotSupported,
    Malformed,
    NotFound,
    ParentMissing,
    PreconditionFailed,
    PropertiesRefused,
    ProtectedProperty,
)
from davstore.model.changes import Level
from davstore.model.conditions import ETagList, IfCondition, IfList, Preconditions
from davstore.model.facets import PROPERTIES
from davstore.store import browsing, making, patching, putting, reading, syncing
from davstore.store.putting import NewContent
from tests.contract.storage import INLINE_BYTES, Storage, count_rows

SMALL, LARGE = b"s" * INLINE_BYTES, b"L" * (INLINE_BYTES + 1)


@pytest.mark.parametrize("content", [b"", b"x", SMALL, LARGE, b"big" * 200_000], ids=len)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_comes_back(storage: Storage, content: bytes, chunked: bool) -> None:
    written = storage.put("a", content, chunked=chunked)
    assert written.created
    assert storage.get("a") == content
    assert written.resource == storage.find("a")
    assert (written.resource.length, written.resource.content_type) == (len(content), "text/plain")
    assert written.resource.etag == hashlib.sha256(content).hexdigest()
    assert len(storage.blob_files) == (len(content) > INLINE_BYTES)
    assert storage.facts.used_bytes == len(content)


@pytest.mark.parametrize("old", [SMALL, LARGE])
@pytest.mark.parametrize("new", [SMALL[:50], LARGE * 2])
def test_a_replaced_body_takes_the_place_of_the_old(storage: Storage, old: bytes, new: bytes) -> None:
    before = storage.put("a", old).resource
    written = storage.put("a", new)
    assert not written.created
    after = written.resource
    assert (after.node_id, after.resource_id, after.created_us) == (
        before.node_id,
        before.resource_id,
        before.created_us,
    )
    assert after.modified_us > before.modified_us
    assert after.changed > before.changed
    assert after == storage.find("a")
    assert storage.get("a") == new
    assert storage.facts.used_bytes == len(new)
    assert count_rows(storage, ["body"]) == {"body": 1}
    assert len(storage.blob_files) == (len(new) > INLINE_BYTES)


def test_a_range_of_a_body(storage: Storage) -> None:
    for name, content in (("inline", bytes(range(90))), ("blob", bytes(range(256)) * 3)):
        storage.put(name, content)
        body = reading.open_resource(storage.context, storage.at(name)).body
        assert body is not None
        assert b"".join(body.read(10, 60)) == content[10:60]
        body.close()


def test_an_open_body_outlives_its_resource(storage: Storage) -> None:
    storage.put("a", LARGE)
    body = reading.open_resource(storage.context, storage.at("a")).body
    assert body is not None
    storage.delete("a")
    assert b"".join(body.read(0, body.length)) == LARGE
    body.close()


class Cut:
    """A body whose client goes away after some bytes."""

    def __init__(self, content: bytes, error: bool) -> None:
        self._left = content
        self._error = error

    def read(self, size: int, /) -> bytes:
        piece, self._left = self._left[:size], self._left[size:]
        if not piece and self._error:
            raise Malformed("cut short")
        return piece


@pytest.mark.parametrize("content", [SMALL, LARGE, b"x" * 700_000], ids=len)
@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_body_that_is_cut_short_leaves_nothing(
    storage: Storage, content: bytes, error: bool, old: bytes | None
) -> None:
    if old is not None:
        storage.put("a", old)
    seq = storage.facts.seq
    with pytest.raises(Malformed):
        putting.put(storage.context, storage.at("a"), NewContent(Cut(content, error), len(content) + 1, None))
    assert storage.names() == ([] if old is None else ["a"])
    assert old is None or storage.get("a") == old
    assert (storage.facts.seq, storage.blob_files, count_rows(storage, ["upload"])) == (seq, [], {"upload": 0})


def test_a_chunked_body_that_is_cut_short_leaves_nothing(storage: Storage) -> None:
    with pytest.raises(Malformed):
        putting.put(storage.context, storage.at("a"), NewContent(Cut(b"x" * 700_000, error=True), None, None))
    assert (storage.names(), storage.blob_files, count_rows(storage, ["upload"])) == ([], [], {"upload": 0})


def test_where_nothing_can_be_put(storage: Storage) -> None:
    storage.mkcol("c")
    storage.put("f")
    for place, error in (
        ("c", IsCollection),
        ("", IsCollection),
        ("no/x", ParentMissing),
        ("f/x", ParentMissing),
        ("c/no/no/x", ParentMissing),
    ):
        for content in (SMALL, LARGE):
            with pytest.raises(error):
                storage.put(place, content)
    assert (storage.names(), storage.names("c"), storage.blob_files) == (["c", "f"], [], [])


def test_a_collection_is_made_once(storage: Storage) -> None:
    made = storage.mkcol("c")
    assert made == storage.find("c")
    assert (made.etag, made.length) == (None, None)
    storage.put("f")
    for place in ("c", "f", ""):
        with pytest.raises(AlreadyExists):
            storage.mkcol(place)
    for place in ("no/c", "f/c"):
        with pytest.raises(ParentMissing):
            storage.mkcol(place)


def test_delete_takes_a_tree_with_its_bodies_and_charge(storage: Storage) -> None:
    storage.put("keep", b"k" * 150)
    for collection in ("t", "t/u", "t/u/v"):
        storage.mkcol(collection)
        storage.proppatch(collection, ("{urn:x}p", b"<p xmlns='urn:x'/>"))
        storage.put(f"{collection}/small", SMALL)
        storage.put(f"{collection}/large", LARGE)
    storage.delete("t")
    assert storage.tree() == {"keep": storage.find("keep").etag}
    assert storage.facts.used_bytes == 150
    assert count_rows(storage, ["body", "binding"]) == {"body": 1, "binding": 1}
    assert len(storage.blob_files) == 1
    for place in ("t", "t/u", "t/u/v/small"):
        with pytest.raises(NotFound):
            storage.find(place)
        with pytest.raises((NotFound, ParentMissing)):
            storage.delete(place)
    with pytest.raises(IsRoot):
        storage.delete("")


def test_what_is_made_again_is_another_resource(storage: Storage) -> None:
    first = storage.put("a").resource
    storage.proppatch("a", ("{urn:x}p", b"<p xmlns='urn:x'/>"))
    storage.delete("a")
    second = storage.put("a").resource
    assert second.resource_id != first.resource_id
    assert storage.properties("a") == {}


def test_a_file_is_not_opened_to_see_whether_it_is_a_message(storage: Storage) -> None:
    storage.put("a", LARGE)
    storage.blob_files[0].unlink()
    assert browsing.open_message(storage.context, storage.at("a")) is None
    storage.is_clean = False


def test_a_lost_blob_is_told(storage: Storage) -> None:
    storage.put("a", LARGE)
    storage.blob_files[0].unlink()
    with pytest.raises(CorruptBlob):
        storage.get("a")
    assert [finding.kind for finding in storage.check()] == ["blob is missing"]
    storage.is_clean = False


A, B, C = "{urn:x}a", "{urn:x}b", "{urn:y}a"


def element(name: str, text: str = "") -> bytes:
    """Return a property's element as the edge hands it down."""
    space, _, local = name[1:].partition("}")
    return f'<{local} xmlns="{space}">{text}</{local}>'.encode()


def test_properties_are_set_and_removed_in_order(storage: Storage) -> None:
    storage.put("f")
    seq = storage.facts.seq
    storage.proppatch("f", (A, element(A, "1")), (B, element(B)), (A, element(A, "2")), (C, element(C)), (B, None))
    assert storage.properties("f") == {A: element(A, "2"), C: element(C)}
    assert storage.facts.seq == seq + 1
    assert storage.facts.used_bytes == 4 + len(element(A, "2")) + len(element(C))
    storage.proppatch("f", (A, None), (B, None), (C, element(C, "ü")))
    assert storage.properties("f") == {C: element(C, "ü")}
    assert storage.facts.used_bytes == 4 + len(element(C, "ü"))


def test_a_refused_property_fails_them_all(storage: Storage) -> None:
    storage.put("f")
    storage.proppatch("f", (A, element(A)))
    seq = storage.facts.seq
    refused: dict[str, DavstoreError] = {"{DAV:}getetag": ProtectedProperty()}
    patched = patching.patch_properties(storage.context, storage.at("f"), [(A, None), (B, element(B))], refused=refused)
    assert patched.resource == storage.find("f")
    assert isinstance(patched.refusal, PropertiesRefused)
    with pytest.raises(PropertiesRefused):
        making.make_collection(storage.context, storage.at("c"), elements={A: element(A)}, refused=refused)
    assert (storage.properties("f"), storage.names(), storage.facts.seq) == ({A: element(A)}, ["f"], seq)


def test_a_collection_is_made_with_properties(storage: Storage) -> None:
    making.make_collection(storage.context, storage.at("c"), elements={A: element(A), B: element(B)})
    assert storage.properties("c") == {A: element(A), B: element(B)}
    assert storage.facts.used_bytes == len(element(A) + element(B))


def test_a_resource_has_so_many_properties(build: Callable[..., Storage]) -> None:
    storage = build(properties_per_node=3)
    storage.put("f")
    names = [f"{{urn:x}}p{i}" for i in range(4)]
    storage.proppatch("f", *[(name, element(name)) for name in names[:3]])
    with pytest.raises(PropertiesRefused):
        storage.proppatch("f", (names[3], element(names[3])))
    assert len(storage.properties("f")) == 3


def test_the_properties_of_a_resource_have_a_mebibyte_together(storage: Storage) -> None:
    storage.put("f")
    large = [(f"{{urn:x}}p{number}", b"<p>%b</p>" % (b"x" * 65_000)) for number in range(17)]
    storage.proppatch("f", *large[:16])
    with pytest.raises(PropertiesRefused):
        storage.proppatch("f", large[16])
    assert storage.properties("f") == dict(large[:16])
    storage.proppatch("f", (large[0][0], None), large[16])  # one for another


def test_a_listing_tells_so_many_properties(storage: Storage) -> None:
    large = [(f"{{urn:x}}p{number}", b"<p>%b</p>" % (b"x" * 65_000)) for number in range(16)]
    for number in range(16):
        storage.put(f"f{number}")
        storage.proppatch(f"f{number}", *large)
    storage.listing(depth=1, facets={PROPERTIES})
    storage.put("one more")
    storage.proppatch("one more", *large[:15])
    with pytest.raises(LimitNotSupported):
        storage.listing(depth=1, facets={PROPERTIES})
    top = storage.at("")
    page = syncing.changes_since(storage.context, top, None, level=Level.ONE, limit=None, facets={PROPERTIES})
    assert page.truncated
    assert 0 < len(page.facets.of(PROPERTIES)) <= 16
    for number in range(16):
        assert len(storage.properties(f"f{number}")) == 16
    first = syncing.changes_since(storage.context, storage.at(""), None, level=Level.ONE, limit=9, facets={PROPERTIES})
    assert len(first.facets.of(PROPERTIES)) == 9


def test_properties_of_what_is_not_there(storage: Storage) -> None:
    with pytest.raises(NotFound):
        storage.proppatch("f", (A, element(A)))


def etags(*strong: str, any: bool = False, weak: tuple[str, ...] = ()) -> ETagList:  # noqa: A002  as in the model
    """Return the value of If-Match or If-None-Match."""
    return ETagList(any, frozenset(strong), frozenset(weak))


def met(etag: str | None) -> IfCondition:
    """Return what `["etag"]` means in an If header."""
    return IfCondition(negated=False, token=None, etag=etag)


def unmet(etag: str | None) -> IfCondition:
    """Return what `Not ["etag"]` means in an If header."""
    return IfCondition(negated=True, token=None, etag=etag)


def test_conditions_on_a_resource(storage: Storage) -> None:
    etag = storage.put("a", b"1").resource.etag or ""
    modified = storage.find("a").modified_us // 1_000_000
    hold = [
        Preconditions(if_match=etags(etag)),
        Preconditions(if_match=etags("other", etag)),
        Preconditions(if_match=etags(any=True)),
        Preconditions(if_none_match=etags("other")),
        Preconditions(if_unmodified_since=modified),
        Preconditions(if_lists=(IfList(storage.at("a"), (met(etag),)),)),
        Preconditions(
            if_lists=(IfList(storage.at("a"), (IfCondition(negated=True, token="opaquelocktoken:x", etag=None),)),)
        ),
    ]
    fail = [
        Preconditions(if_match=etags("other")),
        Preconditions(if_match=etags(weak=(etag,))),
        Preconditions(if_none_match=etags(etag)),
        Preconditions(if_none_match=etags(weak=(etag,))),
        Preconditions(if_none_match=etags(any=True)),
        Preconditions(if_unmodified_since=modified - 1),
        Preconditions(if_lists=(IfList(storage.at("a"), (met("other"),)),)),
        Preconditions(if_lists=(IfList(storage.at("a"), (unmet(etag),)),)),
        Preconditions(if_lists=(IfList(None, (met(etag),)),)),
    ]
    for content in (SMALL, LARGE):
        for conditions in fail:
            with pytest.raises(PreconditionFailed):
                storage.put("a", content, conditions)
    for conditions in fail:
        with pytest.raises(PreconditionFailed):
            storage.delete("a", conditions)
    assert storage.get("a") == b"1"
    for conditions in hold:
        storage.put("b", LARGE)
        storage.proppatch("a", (A, element(A)), conditions=conditions)
    assert storage.get("a") == b"1"


def test_conditions_on_an_unmapped_url(storage: Storage) -> None:
    for conditions in (
        Preconditions(if_match=etags(any=True)),
        Preconditions(if_match=etags("x")),
        Preconditions(if_lists=(IfList(storage.at("a"), (met("x"),)),)),
    ):
        for content in (SMALL, LARGE):
            with pytest.raises(PreconditionFailed):
                storage.put("a", content, conditions)
        with pytest.raises(PreconditionFailed):
            storage.mkcol("c", conditions)
        with pytest.raises(PreconditionFailed):
            storage.delete("c", conditions)
    assert (storage.names(), storage.blob_files) == ([], [])
    storage.put("a", LARGE, Preconditions(if_none_match=etags(any=True)))
    storage.mkcol("c", Preconditions(if_lists=(IfList(storage.at("c"), (unmet("x"),)),)))


def test_a_condition_is_judged_again_when_the_body_has_come(storage: Storage) -> None:
    etag = storage.put("a", b"1").resource.etag or ""

    class Overtaken(Cut):
        def read(self, size: int, /) -> bytes:
            if storage.get("a") == b"1":
                storage.put("a", b"2")
            return super().read(size)

    stream = Overtaken(LARGE * 10, error=False)
    with pytest.raises(PreconditionFailed):
        putting.put(
            storage.context,
            storage.at("a"),
            NewContent(stream, len(LARGE) * 10, None),
            Preconditions(if_match=etags(etag)),
        )
    assert (storage.get("a"), storage.blob_files, count_rows(storage, ["upload"])) == (b"2", [], {"upload": 0})


def test_another_list_of_the_if_header_may_hold(storage: Storage) -> None:
    etag = storage.put("a").resource.etag
    storage.mkcol("c")
    lists = (
        IfList(storage.at("c"), (met("x"),)),
        IfList(storage.at("a"), (met(etag), unmet("x"))),
    )
    storage.put("b", conditions=Preconditions(if_lists=lists))
    with pytest.raises(PreconditionFailed):
        storage.put("b", conditions=Preconditions(if_lists=lists[:1]))


def test_an_etag_that_went_and_came_back_matches_again(storage: Storage) -> None:
    etag = storage.put("a", b"1").resource.etag or ""
    storage.put("a", b"2")
    assert storage.put("a", b"1").resource.etag == etag
    storage.delete("a", Preconditions(if_match=etags(etag)))


def test_a_body_that_is_replaced_again_and_again_is_read(storage: Storage) -> None:
    """The blob that a snapshot names may be gone when it is opened; one that the next names too is lost."""

    class Busy(LocalBlobs):
        replaced = 0

        def open(self, store_id: int, name: str) -> LocalReader:
            if self.replaced < 3:
                self.replaced += 1
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(storage.put, "a", b"%d" % self.replaced * 1000).result()
            return super().open(store_id, name)

    storage.put("a", b"0" * 1000)
    storage.blobs = Busy(storage.blob_directory)
    assert storage.get("a") == b"3" * 1000
    [file] = storage.blob_files
    file.rename(file.with_name("elsewhere"))
    with pytest.raises(CorruptBlob):
        storage.get("a")
    file.with_name("elsewhere").rename(file)
