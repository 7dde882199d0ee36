"""Reports that an earlier model got wrong, each as its smallest example (docs/sync.md), and tokens that are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from davstore.engine import transaction
from davstore.engine.writer import TreeChange, Writer
from davstore.errors import InvalidSyncToken, NotFound, PreconditionFailed, UnsupportedReport
from davstore.metadata import bindings, stores
from davstore.model.changes import Changes, Level, Position, SyncToken
from davstore.model.conditions import IfCondition, IfList, Preconditions
from davstore.model.paths import Area, Path
from davstore.model.states import Flag, StateChange
from davstore.protocol.dav import sync_token
from davstore.store import syncing
from davstore.sync.tokens import current_token
from tests.contract.storage import MAIL, Storage, count_rows, told
from tests.contract.sync_model import Device, Pair


def pages(storage: Storage, token: SyncToken | None, *, limit: int = 1, scope: str = "") -> Iterator[list[str]]:
    """Yield the pages of a run to its end."""
    while True:
        page = storage.report(scope, token, limit=limit)
        yield told(page)
        token = page.token
        if not page.truncated:
            return


def run(storage: Storage, token: SyncToken | None, *, limit: int = 1, scope: str = "") -> list[str]:
    """Return the rows of a whole run."""
    return [row for page in pages(storage, token, limit=limit, scope=scope) for row in page]


def bind_again(storage: Storage, old: str, new: str) -> None:
    """Give a resource a second name in the root."""
    node_id = storage.find(old).node_id

    def work(writer: Writer) -> None:
        root_id = writer.ledger.facts.root_id
        given = {"node_id": node_id, "is_collection": False}
        number = bindings.bind(writer.unit, writer.ledger, root_id, new, **given)
        writer.changes.append(TreeChange(number, number, names=1, size_bytes=0))

    transaction.write(storage.context, storage.at(""), work)


@pytest.fixture
def pair(storage: Storage) -> Pair:
    return Pair(storage)


def in_step(pair: Pair, *, scope: tuple[str, ...] = ()) -> Device:
    """Return a device that has everything."""
    device = Device(scope, Level.INFINITE)
    assert device.page(pair.storage, pair.model, None)
    return device


def finish(device: Device, pair: Pair) -> None:
    """Take pages of one row to the end; the device itself judges them."""
    while not device.page(pair.storage, pair.model, 1):
        pass


def test_a_moved_tree_in_pages_of_one(storage: Storage) -> None:
    for name in ("t", "a", "a/s"):
        storage.mkcol(name)
    for name in ("a/x", "a/y", "a/s/z"):
        storage.put(name)
    token = storage.report().token
    storage.move("a", "t/b")
    rows = run(storage, token)
    assert sorted(rows) == ["+t/b", "+t/b/s", "+t/b/s/z", "+t/b/x", "+t/b/y", "-a"]
    assert sorted(run(storage, None)) == ["+t", "+t/b", "+t/b/s", "+t/b/s/z", "+t/b/x", "+t/b/y"]
    assert sorted(run(storage, token, scope="")) == sorted(rows)


def test_the_scope_itself_is_moved_in(storage: Storage) -> None:
    storage.mkcol("a")
    storage.put("a/old")
    token = storage.report("a").token
    storage.move("a", "gone")
    with pytest.raises(NotFound):
        storage.report("a", token)
    storage.mkcol("b")
    for name in ("b/x", "b/y", "b/z"):
        storage.put(name)
    storage.move("b", "a")
    assert sorted(run(storage, token, scope="a")) == ["+a/x", "+a/y", "+a/z", "-a/old"]


def test_a_truncated_page_does_not_give_the_newest_token(storage: Storage) -> None:
    storage.mkcol("c")
    storage.put("c/a")
    assert list(pages(storage, None)) == [["+c"], ["+c/a"]]


def test_the_floor_is_for_the_base_of_a_run(storage: Storage) -> None:
    def sweep(floor: int) -> None:
        storage.database.write(lambda unit: stores.set_floor(unit, storage.facts.id, floor))

    storage.put("a")
    early = storage.report().token
    storage.put("b")
    at_the_floor = storage.report().token
    storage.put("c")
    first = storage.report(limit=1)
    sweep(at_the_floor.number)
    assert first.token.number < at_the_floor.number
    assert told(storage.report("", first.token)) == ["+b", "+c"]
    assert told(storage.report("", at_the_floor)) == ["+c"]
    with pytest.raises(InvalidSyncToken):
        storage.report("", early)
    storage.put("d")
    sweep(storage.facts.seq)
    with pytest.raises(InvalidSyncToken):
        storage.report("", first.token)


def test_members_of_the_past_and_of_the_moved(storage: Storage) -> None:
    storage.mkcol("b")
    storage.put("b/x")
    token = storage.report().token
    storage.delete("b")
    storage.mkcol("b")
    assert sorted(told(storage.report("", token))) == ["+b", "-b/x"]
    assert told(storage.report("b", storage.report("b").token)) == []


def test_a_scope_made_again_forgets_its_members(storage: Storage) -> None:
    storage.mkcol("b")
    storage.mkcol("b/s")
    storage.put("b/s/x")
    token = storage.report("b").token
    storage.delete("b")
    storage.put("b")
    with pytest.raises(UnsupportedReport):
        storage.report("b", token)
    storage.delete("b")
    storage.mkcol("b")
    storage.mkcol("b/s")
    assert sorted(told(storage.report("b", token))) == ["+b/s", "-b/s/x"]
    assert told(storage.report("b", token, level=Level.ONE)) == ["+b/s"]


def test_an_old_member_is_due_at_the_last_death_of_its_url(pair: Pair) -> None:
    pair.mkcol(("c",))
    pair.put(("c", "x"))
    device = in_step(pair)
    pair.delete(("c",))
    pair.put(("z",))
    pair.put(("c",))
    pair.delete(("c",))
    pair.put(("y",))
    assert not device.page(pair.storage, pair.model, 1)
    pair.put(("c",))
    finish(device, pair)
    assert ("c", "x") not in device.mirror


def test_an_old_member_is_due_at_the_last_death_of_the_urls_above_it(pair: Pair) -> None:
    for url in (("c",), ("c", "d"), ("c", "d", "x")):
        pair.mkcol(url)
    device = in_step(pair)
    pair.delete(("c", "d"))
    pair.put(("z",))
    pair.delete(("c",))
    pair.put(("y",))
    assert not device.page(pair.storage, pair.model, 1)
    pair.mkcol(("c",))
    pair.mkcol(("c", "d"))
    finish(device, pair)


BUSH = [("a",), ("a", "a"), ("a", "b"), ("a", "a", "a"), ("a", "a", "b"), ("a", "b", "a"), ("a", "b", "b")]


@pytest.mark.parametrize("pages_before", range(len(BUSH)))
def test_a_bush_rebuilt_under_a_slow_device(pair: Pair, pages_before: int) -> None:
    for url in BUSH:
        pair.mkcol(url)
        pair.put((*url, "x"))
    device = in_step(pair)
    pair.delete(("a",))
    pair.mkcol(("a",))
    complete = False
    for url in BUSH[1:]:
        for _ in range(pages_before):
            complete = complete or device.page(pair.storage, pair.model, 1)
        pair.mkcol(url)
        complete = False
    finish(device, pair)
    assert not [url for url in device.mirror if url[-1] == "x"]


def test_old_members_of_a_moved_collection_do_not_tie(storage: Storage) -> None:
    storage.mkcol("a")
    for name in ("a/x", "a/y", "a/z"):
        storage.put(name)
    storage.move("a", "b")
    token = storage.report().token
    storage.delete("b")
    storage.mkcol("b")
    assert sorted(run(storage, token)) == ["+b", "-b/x", "-b/y", "-b/z"]


def test_a_resource_moved_over_itself_lives(storage: Storage) -> None:
    storage.put("a", b"x" * 300)
    bind_again(storage, "a", "b")
    token = storage.report().token
    assert storage.move("a", "b") is False
    assert storage.names() == ["b"]
    assert storage.get("b") == b"x" * 300
    assert storage.facts.used_bytes == 300
    assert sorted(told(storage.report("", token))) == ["+b", "-a"]


def test_every_name_of_a_changed_resource_is_told(storage: Storage) -> None:
    storage.put("a", MAIL)
    threads = Path(storage.owner, (), Area.THREADS)

    def report(path: Path, token: SyncToken | None) -> Changes:
        return syncing.changes_since(storage.context, path, token, level=Level.INFINITE, limit=None)

    tokens = {path: report(path, None).token for path in (storage.at(""), threads)}
    for change in (
        lambda: storage.put("a", MAIL + b" new"),
        lambda: storage.proppatch("a", ("{urn:x}p", b"<p xmlns='urn:x'/>")),
        lambda: storage.mark("a", StateChange(set=int(Flag.SEEN))),
    ):
        change()
        pages = {path: report(path, token) for path, token in tokens.items()}
        assert told(pages[storage.at("")]) == ["+a"]
        assert [row.is_collection for row in pages[threads].rows] == [0, 1]
        tokens = {path: page.token for path, page in pages.items()}


def test_the_second_name_keeps_the_body(storage: Storage) -> None:
    storage.put("a", b"x" * 300)
    bind_again(storage, "a", "b")
    storage.delete("a")
    assert storage.get("b") == b"x" * 300
    assert storage.facts.used_bytes == 300
    storage.delete("b")
    assert (storage.facts.used_bytes, storage.blob_files, count_rows(storage, ["body"])) == (0, [], {"body": 0})


def test_what_came_and_went_between_two_reports_is_told_as_gone(storage: Storage) -> None:
    token = storage.report().token
    storage.put("a")
    storage.delete("a")
    assert told(storage.report("", token)) == ["-a"]
    assert told(storage.report("", storage.report().token)) == []


def test_level_one_tells_the_members_only(storage: Storage) -> None:
    storage.mkcol("a")
    storage.mkcol("a/b")
    token = storage.report("", level=Level.ONE).token
    storage.put("a/x")
    storage.put("y")
    storage.delete("a/b")
    assert told(storage.report("", token, level=Level.ONE)) == ["+y"]


def guard(storage: Storage, token: SyncToken | str, place: str, *, negated: bool = False) -> Preconditions:
    """Return what `If: <place> (<token>)` means."""
    text = token if isinstance(token, str) else sync_token.render(token)
    return Preconditions(if_lists=(IfList(storage.at(place), (IfCondition(negated, text, None),)),))


def test_a_guard_holds_while_nothing_changed_beneath(storage: Storage) -> None:
    storage.mkcol("a")
    storage.mkcol("a/deep")
    storage.mkcol("other")
    token = storage.report("a").token
    storage.put("other/x")
    storage.put("other/y", conditions=guard(storage, token, "a"))
    storage.put("a/deep/x", conditions=guard(storage, token, "a"))
    for write in (storage.put, storage.mkcol):
        with pytest.raises(PreconditionFailed):
            write("other/z", conditions=guard(storage, token, "a"))
    storage.put("other/z", conditions=guard(storage, token, "a", negated=True))
    storage.delete("a/deep/x", guard(storage, storage.report("a").token, "a"))
    with pytest.raises(PreconditionFailed):
        storage.delete("a", guard(storage, token, "a"))


@pytest.mark.parametrize("operation", ["put", "mkcol", "delete", "proppatch", "move", "copy"])
def test_a_broken_guard_stops_every_method_and_nothing_changes(storage: Storage, operation: str) -> None:
    storage.mkcol("a")
    storage.put("a/x")
    stale = guard(storage, storage.report("a").token, "a")
    storage.put("a/y")
    before, seq = storage.tree(), storage.facts.seq
    operations: dict[str, Callable[[], object]] = {
        "put": lambda: storage.put("a/x", b"no", stale),
        "mkcol": lambda: storage.mkcol("a/c", stale),
        "delete": lambda: storage.delete("a/x", stale),
        "proppatch": lambda: storage.proppatch("a/x", ("{urn:x}p", b"<p/>"), conditions=stale),
        "move": lambda: storage.move("a/x", "a/z", stale),
        "copy": lambda: storage.copy("a/x", "a/z", stale),
    }
    with pytest.raises(PreconditionFailed):
        operations[operation]()
    assert (storage.tree(), storage.facts.seq) == (before, seq)


@pytest.mark.parametrize("level", Level)
def test_a_token_in_the_middle_of_a_run_is_no_proof(storage: Storage, level: Level) -> None:
    for name in ("x", "y"):
        storage.put(name)
    token = storage.report(limit=1, level=level).token
    with pytest.raises(PreconditionFailed):
        storage.put("z", conditions=guard(storage, token, ""))


def test_a_guard_with_a_garbled_token_or_for_another_place_fails(storage: Storage) -> None:
    storage.mkcol("a")
    token = storage.report("a").token
    text = sync_token.render(token)
    for condition in (
        guard(storage, text[:-1] + "x", "a"),
        guard(storage, token, ""),
        guard(storage, token, "nowhere"),
    ):
        with pytest.raises(PreconditionFailed):
            storage.put("z", conditions=condition)


def refused(token: SyncToken) -> list[SyncToken]:
    """Return what a token must not be taken for."""
    future = token.number + 1
    return [
        SyncToken(token.store_id + 1, token.epoch, token.scope, token.number),
        SyncToken(token.store_id, token.epoch + 1, token.scope, token.number),
        SyncToken(token.store_id, token.epoch, "0" * 16, token.number),
        SyncToken(token.store_id, token.epoch, token.scope, future),
        SyncToken(token.store_id, token.epoch, token.scope, 1, position=Position(1, 0, 1, future)),
        SyncToken(token.store_id, token.epoch, token.scope, future, position=Position(future, 0, 1, 1)),
    ]


def test_foreign_tokens_are_refused(storage: Storage) -> None:
    storage.mkcol("a")
    storage.put("a/x")
    for token in [*refused(storage.report().token), storage.report("a").token]:
        with pytest.raises(InvalidSyncToken):
            storage.report("", token)
        with pytest.raises(PreconditionFailed):
            storage.put("z", conditions=guard(storage, token, ""))
    storage.add_store("you")
    foreign = storage.report().token
    storage.owner = "me"
    with pytest.raises(InvalidSyncToken):
        storage.report("", foreign)


def test_a_store_that_was_lost_and_made_anew_refuses_old_tokens(storage: Storage) -> None:
    storage.put("x")
    token = storage.report().token
    storage.add_store("you")
    facts = storage.database.read(lambda unit: stores.get(unit, "you"))
    assert facts.epoch != token.epoch
    assert current_token(facts, storage.at("")).epoch == facts.epoch


@pytest.mark.parametrize("at", range(0, 70, 3))
def test_a_token_with_a_wrong_character_is_refused_or_another_token(storage: Storage, at: int) -> None:
    for name in ("x", "y", "z"):
        storage.put(name)
    text = sync_token.render(storage.report(limit=1).token)
    for character in "09af.-x":
        try:
            page = storage.report("", sync_token.parse(text[:at] + character + text[at + 1 :]))
        except InvalidSyncToken:
            continue
        assert set(told(page)) <= {"+x", "+y", "+z"}


def test_a_token_of_the_release_before_is_good(storage: Storage) -> None:
    """Its scope is the hash of the names with slashes between; in a moved tree it said a change number, no parent."""
    storage.mkcol("a")
    storage.mkcol("a/b")
    for name in ("a/b/x", "a/b/y"):
        storage.put(name)
    storage.mkcol("t")
    token = storage.report("t").token
    storage.move("a", "t/a")
    moved = storage.find("t/a").changed
    assert token.scope == hashlib.blake2b(b"t", digest_size=8).hexdigest()
    middle = replace(token, position=Position(moved, 0, storage.find("t/a/b/x").changed, token.number))
    assert sorted(run(storage, middle, scope="t")) == ["+t/a", "+t/a/b", "+t/a/b/x", "+t/a/b/y"]


TREE = ("a/1", "a/1/p", "a/1/q", "a/2", "a/2/p", "a/2/p/s", "a/3")


def grow(pair: Pair) -> None:
    """Make a tree with two resources in each of its collections."""
    for url in (("t",), ("t", "c"), ("a",)):
        pair.mkcol(url)
    for text in ("a", *TREE):
        url = tuple(text.split("/"))
        if len(url) > 1:
            pair.mkcol(url)
        for name in ("x", "y"):
            pair.put((*url, name))


MEANWHILE: dict[str, Callable[[Pair, tuple[str, ...]], object]] = {
    "delete": lambda pair, url: pair.delete(url),
    "move out of sight": lambda pair, url: pair.move(url, ("away",)),
    "move within": lambda pair, url: pair.move(url, ("t", "c", "in")),
    "rename": lambda pair, url: pair.move(url, (*url[:-1], "new")),
    "touch": lambda pair, url: pair.proppatch(url),
    "make again": lambda pair, url: (pair.delete(url), pair.mkcol(url)),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("victim", ["1", "1/p", "2", "2/p", "2/p/s", ""])
def test_a_moved_tree_changes_between_any_two_pages(sqlite_storage: Storage, victim: str, meanwhile: str) -> None:
    """The place where a page ended may be gone, and so may what lies above it."""
    url = ("t", "b", *(victim.split("/") if victim else ()))
    storage = sqlite_storage
    for before in range(0, 24, 2):
        storage.add_store(f"user{before}")
        pair = Pair(storage)
        grow(pair)
        device = in_step(pair)
        pair.move(("a",), ("t", "b"))
        for _ in range(before):
            device.page(storage, pair.model, 1)
        MEANWHILE[meanwhile](pair, url)
        finish(device, pair)


@pytest.mark.parametrize("before", range(1, 22))
@pytest.mark.parametrize("level", Level)
def test_a_moved_scope_is_told_on_at_another_level(sqlite_storage: Storage, level: Level, before: int) -> None:
    """A row that one level gave says at the other how far the device is, too."""
    pair, device = Pair(sqlite_storage), Device(("t", "b"), level)
    grow(pair)
    pair.move(("a",), ("t", "b"))
    if any(device.page(pair.storage, pair.model, 1) for _ in range(before)):
        return  # it is complete at this level, and a token of the end says nothing of the other
    device.level = Level.INFINITE if level is Level.ONE else Level.ONE
    rows = set()
    token, truncated = device.token, True
    while truncated:
        page = pair.storage.report("t/b", token, level=device.level, limit=1)
        rows |= {row.names for row in page.rows}
        token, truncated = page.token, page.truncated
    beneath = {url for url in pair.model.beneath(("t", "b")) if level is Level.ONE or len(url) == 3}
    assert device.mirror.keys() | rows >= beneath
    assert not device.mirror.keys() & rows


def test_the_server_pages_by_itself(build: Callable[..., Storage]) -> None:
    storage = build(sync_rows=2)
    for name in ("x", "y", "z"):
        storage.put(name)
    for limit in (None, 100):
        page = storage.report(limit=limit)
        assert (told(page), page.truncated) == (["+x", "+y"], True)
        assert told(storage.report("", page.token)) == ["+z"]


def test_the_current_token_is_the_complete_one(storage: Storage) -> None:
    storage.mkcol("a")
    assert current_token(storage.facts, storage.at("a")) == storage.report("a").token


def test_a_token_of_one_level_is_good_for_the_other(storage: Storage) -> None:
    """RFC 6578 §3.3: one sequence for the tree, so a token says nothing of the level it was got at."""
    storage.mkcol("c")
    shallow = storage.report(level=Level.ONE).token
    deep = storage.report(level=Level.INFINITE).token
    storage.put("c/x")
    storage.put("y")
    assert told(storage.report(token=shallow, level=Level.INFINITE)) == ["+c/x", "+y"]
    assert told(storage.report(token=deep, level=Level.ONE)) == ["+y"]
    page = storage.report(token=deep, level=Level.INFINITE, limit=1)
    assert told(page) == ["+c/x"]
    assert told(storage.report(token=page.token, level=Level.ONE)) == ["+y"]
