"""Reports that an earlier model got wrong, each as its smallest example (docs/sync.md), and tokens that are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from davstore.errors import InvalidSyncToken, NotFound, PreconditionFailed, UnsupportedReport
from davstore.metadata import bindings, stores
from davstore.metadata.tables import MADE_CLIENT
from davstore.model.changes import Level, Position, SyncToken
from davstore.model.conditions import IfCondition, IfList, Preconditions
from davstore.protocol import sync_token
from davstore.store import syncing
from tests.contract.house import House, count_rows, told
from tests.contract.sync_model import Device, Pair


def pages(house: House, token: SyncToken | None, *, limit: int = 1, scope: str = "") -> Iterator[list[str]]:
    """Yield the pages of a run to its end."""
    while True:
        page = house.report(scope, token, limit=limit)
        yield told(page)
        token = page.token
        if not page.truncated:
            return


def run(house: House, token: SyncToken | None, *, limit: int = 1, scope: str = "") -> list[str]:
    """Return the rows of a whole run."""
    return [row for page in pages(house, token, limit=limit, scope=scope) for row in page]


def bind_again(house: House, old: str, new: str) -> None:
    """Give a resource a second name in the root, as BIND will."""
    node_id = house.find(old).node_id
    house.context.write(
        house.owner,
        lambda unit, ledger: bindings.bind(
            unit, ledger, ledger.facts.root_id, new, node_id=node_id, is_collection=False, made=MADE_CLIENT
        ),
    )


@pytest.fixture
def pair(house: House) -> Pair:
    return Pair(house)


def in_step(pair: Pair, *, scope: tuple[str, ...] = ()) -> Device:
    """Return a device that has everything."""
    device = Device(scope, Level.INFINITE)
    assert device.page(pair.house, pair.model, None)
    return device


def finish(device: Device, pair: Pair) -> None:
    """Take pages of one row to the end; the device itself judges them."""
    while not device.page(pair.house, pair.model, 1):
        pass


def test_a_moved_tree_in_pages_of_one(house: House) -> None:
    for name in ("t", "a", "a/s"):
        house.mkcol(name)
    for name in ("a/x", "a/y", "a/s/z"):
        house.put(name)
    token = house.report().token
    house.move("a", "t/b")
    rows = run(house, token)
    assert sorted(rows) == ["+t/b", "+t/b/s", "+t/b/s/z", "+t/b/x", "+t/b/y", "-a"]
    assert sorted(run(house, None)) == ["+t", "+t/b", "+t/b/s", "+t/b/s/z", "+t/b/x", "+t/b/y"]
    assert sorted(run(house, token, scope="")) == sorted(rows)


def test_the_scope_itself_is_moved_in(house: House) -> None:
    house.mkcol("a")
    house.put("a/old")
    token = house.report("a").token
    house.move("a", "gone")
    with pytest.raises(NotFound):
        house.report("a", token)
    house.mkcol("b")
    for name in ("b/x", "b/y", "b/z"):
        house.put(name)
    house.move("b", "a")
    assert sorted(run(house, token, scope="a")) == ["+a/x", "+a/y", "+a/z", "-a/old"]


def test_a_truncated_page_does_not_give_the_newest_token(house: House) -> None:
    house.mkcol("c")
    house.put("c/a")
    assert list(pages(house, None)) == [["+c"], ["+c/a"]]


def test_the_floor_is_for_the_base_of_a_run(house: House) -> None:
    def sweep(floor: int) -> None:
        house.database.write(lambda unit: stores.set_floor(unit, house.facts.id, floor))

    house.put("a")
    early = house.report().token
    house.put("b")
    at_the_floor = house.report().token
    house.put("c")
    first = house.report(limit=1)
    sweep(at_the_floor.number)
    assert first.token.number < at_the_floor.number
    assert told(house.report("", first.token)) == ["+b", "+c"]
    assert told(house.report("", at_the_floor)) == ["+c"]
    with pytest.raises(InvalidSyncToken):
        house.report("", early)
    house.put("d")
    sweep(house.facts.seq)
    with pytest.raises(InvalidSyncToken):
        house.report("", first.token)


def test_members_of_the_past_and_of_the_moved(house: House) -> None:
    house.mkcol("b")
    house.put("b/x")
    token = house.report().token
    house.delete("b")
    house.mkcol("b")
    assert sorted(told(house.report("", token))) == ["+b", "-b/x"]
    assert told(house.report("b", house.report("b").token)) == []


def test_a_scope_made_again_forgets_its_members(house: House) -> None:
    house.mkcol("b")
    house.mkcol("b/s")
    house.put("b/s/x")
    token = house.report("b").token
    house.delete("b")
    house.put("b")
    with pytest.raises(UnsupportedReport):
        house.report("b", token)
    house.delete("b")
    house.mkcol("b")
    house.mkcol("b/s")
    assert sorted(told(house.report("b", token))) == ["+b/s", "-b/s/x"]
    assert told(house.report("b", token, level=Level.ONE)) == ["+b/s"]


def test_an_old_member_is_due_at_the_last_death_of_its_url(pair: Pair) -> None:
    pair.mkcol(("c",))
    pair.put(("c", "x"))
    device = in_step(pair)
    pair.delete(("c",))
    pair.put(("z",))
    pair.put(("c",))
    pair.delete(("c",))
    pair.put(("y",))
    assert not device.page(pair.house, pair.model, 1)
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
    assert not device.page(pair.house, pair.model, 1)
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
            complete = complete or device.page(pair.house, pair.model, 1)
        pair.mkcol(url)
        complete = False
    finish(device, pair)
    assert not [url for url in device.mirror if url[-1] == "x"]


def test_old_members_of_a_moved_collection_do_not_tie(house: House) -> None:
    house.mkcol("a")
    for name in ("a/x", "a/y", "a/z"):
        house.put(name)
    house.move("a", "b")
    token = house.report().token
    house.delete("b")
    house.mkcol("b")
    assert sorted(run(house, token)) == ["+b", "-b/x", "-b/y", "-b/z"]


def test_a_resource_moved_over_itself_lives(house: House) -> None:
    house.put("a", b"x" * 300)
    bind_again(house, "a", "b")
    token = house.report().token
    assert house.move("a", "b") is False
    assert house.names() == ["b"]
    assert house.get("b") == b"x" * 300
    assert house.facts.used_bytes == 300
    assert sorted(told(house.report("", token))) == ["+b", "-a"]


def test_every_name_of_a_changed_resource_is_told(house: House) -> None:
    house.put("a", b"old")
    bind_again(house, "a", "b")
    token = house.report().token
    house.put("a", b"new!")
    page = house.report("", token)
    assert sorted(told(page)) == ["+a", "+b"]
    house.proppatch("b", ("{urn:x}p", b"<p xmlns='urn:x'/>"))
    assert sorted(run(house, page.token)) == ["+a", "+b"]
    assert house.get("b") == b"new!"


def test_the_second_name_keeps_the_body(house: House) -> None:
    house.put("a", b"x" * 300)
    bind_again(house, "a", "b")
    house.delete("a")
    assert house.get("b") == b"x" * 300
    assert house.facts.used_bytes == 300
    house.delete("b")
    assert (house.facts.used_bytes, house.blob_files, count_rows(house, ["body"])) == (0, [], {"body": 0})


def test_what_came_and_went_between_two_reports_is_told_as_gone(house: House) -> None:
    token = house.report().token
    house.put("a")
    house.delete("a")
    assert told(house.report("", token)) == ["-a"]
    assert told(house.report("", house.report().token)) == []


def test_level_one_tells_the_members_only(house: House) -> None:
    house.mkcol("a")
    house.mkcol("a/b")
    token = house.report("", level=Level.ONE).token
    house.put("a/x")
    house.put("y")
    house.delete("a/b")
    assert told(house.report("", token, level=Level.ONE)) == ["+y"]


def guard(house: House, token: SyncToken | str, place: str, *, negated: bool = False) -> Preconditions:
    """Return what `If: <place> (<token>)` means."""
    text = token if isinstance(token, str) else sync_token.render(token)
    return Preconditions(if_lists=(IfList(house.at(place), (IfCondition(negated, text, None),)),))


def test_a_guard_holds_while_nothing_changed_beneath(house: House) -> None:
    house.mkcol("a")
    house.mkcol("a/deep")
    house.mkcol("other")
    token = house.report("a").token
    house.put("other/x")
    house.put("other/y", conditions=guard(house, token, "a"))
    house.put("a/deep/x", conditions=guard(house, token, "a"))
    for write in (house.put, house.mkcol):
        with pytest.raises(PreconditionFailed):
            write("other/z", conditions=guard(house, token, "a"))
    house.put("other/z", conditions=guard(house, token, "a", negated=True))
    house.delete("a/deep/x", guard(house, house.report("a").token, "a"))
    with pytest.raises(PreconditionFailed):
        house.delete("a", guard(house, token, "a"))


@pytest.mark.parametrize("operation", ["put", "mkcol", "delete", "proppatch", "move", "copy"])
def test_a_broken_guard_stops_every_method_and_nothing_changes(house: House, operation: str) -> None:
    house.mkcol("a")
    house.put("a/x")
    stale = guard(house, house.report("a").token, "a")
    house.put("a/y")
    before, seq = house.tree(), house.facts.seq
    operations: dict[str, Callable[[], object]] = {
        "put": lambda: house.put("a/x", b"no", stale),
        "mkcol": lambda: house.mkcol("a/c", stale),
        "delete": lambda: house.delete("a/x", stale),
        "proppatch": lambda: house.proppatch("a/x", ("{urn:x}p", b"<p/>"), conditions=stale),
        "move": lambda: house.move("a/x", "a/z", stale),
        "copy": lambda: house.copy("a/x", "a/z", stale),
    }
    with pytest.raises(PreconditionFailed):
        operations[operation]()
    assert (house.tree(), house.facts.seq) == (before, seq)


@pytest.mark.parametrize("level", Level)
def test_a_token_in_the_middle_of_a_run_is_no_proof(house: House, level: Level) -> None:
    for name in ("x", "y"):
        house.put(name)
    token = house.report(limit=1, level=level).token
    with pytest.raises(PreconditionFailed):
        house.put("z", conditions=guard(house, token, ""))


def test_a_guard_with_a_garbled_token_or_for_another_place_fails(house: House) -> None:
    house.mkcol("a")
    token = house.report("a").token
    text = sync_token.render(token)
    for condition in (guard(house, text[:-1] + "x", "a"), guard(house, token, ""), guard(house, token, "nowhere")):
        with pytest.raises(PreconditionFailed):
            house.put("z", conditions=condition)


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


def test_foreign_tokens_are_refused(house: House) -> None:
    house.mkcol("a")
    house.put("a/x")
    for token in [*refused(house.report().token), house.report("a").token]:
        with pytest.raises(InvalidSyncToken):
            house.report("", token)
        with pytest.raises(PreconditionFailed):
            house.put("z", conditions=guard(house, token, ""))
    house.add_store("you")
    foreign = house.report().token
    house.owner = "me"
    with pytest.raises(InvalidSyncToken):
        house.report("", foreign)


def test_a_store_that_was_lost_and_made_anew_refuses_old_tokens(house: House) -> None:
    house.put("x")
    token = house.report().token
    house.add_store("you")
    facts = house.database.read(lambda unit: stores.get(unit, "you"))
    assert facts.epoch != token.epoch
    assert syncing.current_token(facts, ()).epoch == facts.epoch


@pytest.mark.parametrize("at", range(0, 70, 3))
def test_a_token_with_a_wrong_character_is_refused_or_another_token(house: House, at: int) -> None:
    for name in ("x", "y", "z"):
        house.put(name)
    text = sync_token.render(house.report(limit=1).token)
    for character in "09af.-x":
        try:
            page = house.report("", sync_token.parse(text[:at] + character + text[at + 1 :]))
        except InvalidSyncToken:
            continue
        assert set(told(page)) <= {"+x", "+y", "+z"}


def test_the_server_pages_by_itself(build: Callable[..., House]) -> None:
    house = build(sync_rows=2)
    for name in ("x", "y", "z"):
        house.put(name)
    for limit in (None, 100):
        page = house.report(limit=limit)
        assert (told(page), page.truncated) == (["+x", "+y"], True)
        assert told(house.report("", page.token)) == ["+z"]


def test_the_current_token_is_the_complete_one(house: House) -> None:
    house.mkcol("a")
    assert syncing.current_token(house.facts, ("a",)) == house.report("a").token


def test_a_token_of_one_level_is_good_for_the_other(house: House) -> None:
    """RFC 6578 §3.3: one sequence for the tree, so a token says nothing of the level it was got at."""
    house.mkcol("c")
    shallow = house.report(level=Level.ONE).token
    deep = house.report(level=Level.INFINITE).token
    house.put("c/x")
    house.put("y")
    assert told(house.report(token=shallow, level=Level.INFINITE)) == ["+c/x", "+y"]
    assert told(house.report(token=deep, level=Level.ONE)) == ["+y"]
    page = house.report(token=deep, level=Level.INFINITE, limit=1)
    assert told(page) == ["+c/x"]
    assert told(house.report(token=page.token, level=Level.ONE)) == ["+y"]
