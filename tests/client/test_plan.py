"""Plans converge, and no edit is lost: proved on paper, with any start and with two devices beside one server."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from davstore.client.dry_run import copy_view, move_subtree, perform, rehearse
from davstore.client.losses import find_mass_deletion
from davstore.client.plan import Action, Verb, plan
from davstore.client.tree import REMOTE_FOLDER, Agreed, Local, Remote, Stamp, Tree, Trees, parent_of

NAMES = ["a", "b", "c"]
PATHS = ["/".join(names) for depth in (1, 2, 3) for names in itertools.product(NAMES, repeat=depth)]


def local_file(content: str, inode: int = 0) -> Local:
    return Local(folder=False, digest=content, stamp=Stamp(len(content), 0, inode, 0), hashed_ns=0)


def local_folder(inode: int = 0) -> Local:
    return Local(folder=True, digest="", stamp=Stamp(0, 0, inode, 0), hashed_ns=0)


def remote_file(content: str) -> Remote:
    return Remote(folder=False, etag=f'"{content}"')


NUMBERS = itertools.count()


def conflict_names(device: str):
    """Names are never given twice: the real ones look at what is there."""
    return lambda path: f"{path} (conflict {device} {next(NUMBERS)})"


def random_tree(chooser: random.Random) -> dict[str, str | None]:
    """Return a tree: path to content, None for a folder."""
    tree: dict[str, str | None] = {}
    for path in PATHS:
        parent = parent_of(path)
        if (not parent or tree.get(parent, "") is None) and chooser.random() < 0.5:
            tree[path] = None if chooser.random() < 0.5 else chooser.choice("vwxyz")
    return tree


def mutate(tree: dict[str, str | None], chooser: random.Random, fresh) -> None:
    """Edit, make, delete, move or replace something, as a person would."""
    folders = ["", *(path for path, content in tree.items() if content is None)]
    kind = chooser.choice(["edit", "make", "file", "delete", "move", "move"])
    target = "/".join(filter(None, [chooser.choice(folders), chooser.choice(NAMES)]))
    if kind == "file" and tree.get(target, "") is not None:
        tree[target] = fresh()
    elif kind == "make" and target not in tree:
        tree[target] = None
    elif kind == "edit" and (files := [path for path, content in tree.items() if content is not None]):
        tree[chooser.choice(files)] = fresh()
    elif kind in ("delete", "move") and tree:
        source = chooser.choice(sorted(tree))
        below = [path for path in tree if path == source or path.startswith(source + "/")]
        if kind == "delete":
            for path in below:
                del tree[path]
        elif target not in tree and not (target + "/").startswith(source + "/"):
            for path in below:
                tree[target + path[len(source) :]] = tree.pop(path)


def as_local(tree: dict[str, str | None], inodes: dict[str, int] | None = None) -> Tree[Local]:
    inodes = inodes or {}
    return Tree(
        {
            path: local_folder(inodes.get(path, 0)) if content is None else local_file(content, inodes.get(path, 0))
            for path, content in sorted(tree.items())
        }
    )


def as_remote(tree: dict[str, str | None]) -> Tree[Remote]:
    return Tree(
        {path: REMOTE_FOLDER if content is None else remote_file(content) for path, content in sorted(tree.items())}
    )


def as_agreed(tree: dict[str, str | None]) -> Tree[Agreed]:
    return Tree(
        {
            path: Agreed(
                content is None, "" if content is None else f'"{content}"', content or "", Stamp(0, 0, 0, 0), 0
            )
            for path, content in sorted(tree.items())
        }
    )


def of_local(tree: Tree[Local]) -> dict[str, str | None]:
    return {path: None if entry.folder else entry.digest for path, entry in tree.rows.items()}


def of_remote(tree: Tree[Remote]) -> dict[str, str | None]:
    return {path: None if entry.folder else entry.etag.strip('"') for path, entry in tree.rows.items()}


def is_tree(tree: dict[str, str | None]) -> bool:
    return all(not parent_of(path) or tree.get(parent_of(path), "") is None for path in tree)


def check_step(trees: Trees, action: Action) -> None:
    """Nothing that only one side has may be overwritten or deleted without the plan having judged it unchanged."""
    verb, path, other = action
    if verb in (Verb.DELETE_LOCAL, Verb.LEAVE):
        for gone in trees.local.walk(path):
            local, agreed = trees.local.rows[gone], trees.agreed.get(gone)
            assert agreed is not None
            assert agreed.folder == local.folder
            assert agreed.digest == local.digest
    if verb is Verb.DELETE_REMOTE:
        assert not trees.is_outside(path)
        for gone in (inner for inner in trees.remote.walk(path) if not trees.is_outside(inner)):
            remote, agreed = trees.remote.rows[gone], trees.agreed.get(gone)
            assert agreed is not None
            assert (agreed.folder, agreed.etag) == (remote.folder, remote.etag)
    if verb in (Verb.MOVE_LOCAL, Verb.MAKE_LOCAL):
        assert (other or path) not in trees.local.rows
    if verb in (Verb.MOVE_REMOTE, Verb.MOVE_TREE, Verb.MAKE_REMOTE):
        assert (other or path) not in trees.remote.rows


def run(trees: Trees, device: str = "d") -> int:
    """Carry plans out until there is none, and count the plans."""
    name = conflict_names(device)
    for count in range(60):
        actions = plan(trees)
        if not actions:
            return count
        for action in actions:
            check_step(trees, action)
            perform(trees, action, name)
            assert is_tree(of_local(trees.local)), action
            assert is_tree(of_remote(trees.remote)), action
    raise AssertionError(f"no end: {actions}")


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 2**40))
def test_any_three_trees_converge_and_no_edit_is_lost(seed: int) -> None:
    chooser = random.Random(seed)
    base, local, remote = (random_tree(chooser) for _ in range(3))
    if chooser.random() < 0.5:
        base = {path: content for path, content in base.items() if chooser.random() < 0.7}
    edits = {content for path, content in local.items() if content and base.get(path) != content}
    edits |= {content for path, content in remote.items() if content and base.get(path) != content}
    trees = Trees(as_agreed(base), as_local(local), as_remote(remote))
    run(trees)
    assert of_local(trees.local) == of_remote(trees.remote)
    assert set(trees.agreed.rows) == set(trees.local.rows)
    assert edits <= set(filter(None, of_local(trees.local).values()))


@settings(max_examples=400, deadline=None)
@example(7595803)  # both move one file, then each edits another of the two
@given(st.integers(0, 2**40))
def test_two_devices_that_edit_offline_converge_and_lose_nothing(seed: int) -> None:
    chooser = random.Random(seed)
    fresh = map("content {}".format, itertools.count()).__next__
    server: dict[str, str | None] = {}
    folders: list[dict[str, str | None]] = [{}, {}]
    agreed = [Tree[Agreed](), Tree[Agreed]()]
    written: set[str] = set()
    dropped: set[str] = set()

    def synchronise(number: int) -> None:
        trees = Trees(agreed[number], as_local(folders[number]), as_remote(server))
        run(trees, f"d{number}")
        folders[number].clear()
        folders[number].update(of_local(trees.local))
        server.clear()
        server.update(of_remote(trees.remote))

    for _ in range(chooser.randint(1, 8)):
        for number in chooser.sample([0, 1], chooser.randint(1, 2)):
            before = Counter(filter(None, folders[number].values()))
            for _ in range(chooser.randint(0, 6)):
                mutate(folders[number], chooser, fresh)
            after = Counter(filter(None, folders[number].values()))
            written |= set(after - before)
            # Of a file that both moved there are two, and each may overwrite another one of them.
            dropped |= set(before - after)
        for number in chooser.sample([0, 1], chooser.randint(0, 2)):
            synchronise(number)
    for number in (0, 1, 0, 1):
        synchronise(number)
    assert folders[0] == folders[1] == server
    assert written - dropped <= set(filter(None, server.values()))


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 2**40))
def test_with_places_outside_trees_converge_and_no_edit_here_is_lost(seed: int) -> None:
    chooser = random.Random(seed)
    base, local, remote = (random_tree(chooser) for _ in range(3))
    if chooser.random() < 0.5:
        local, remote = dict(base), dict(base)
        for tree in (local, remote):
            for _ in range(chooser.randint(0, 3)):
                mutate(tree, chooser, map("fresh {}".format, NUMBERS).__next__)
    edits = {content for path, content in local.items() if content and base.get(path) != content}
    there = as_remote(remote)
    for path in chooser.sample(sorted(there.rows), len(there.rows) // 3):
        there.put(path, there.rows[path]._replace(own=True))
    outside = set(chooser.sample(PATHS, chooser.randint(1, 10)))
    trees = Trees(as_agreed(base), as_local(local), there, outside=outside)
    run(trees)
    assert set(trees.agreed.rows) == set(trees.local.rows) == set(trees.remote.rows)
    assert edits <= set(filter(None, of_local(trees.local).values()))
    assert all(entry.own for path, entry in trees.remote.rows.items() if trees.is_outside(path) and not entry.folder)


def test_held_places_are_left_alone() -> None:
    trees = Trees(
        as_agreed({"a": None, "a/b": "x"}), as_local({"a": None}), as_remote({"a": None, "a/b": "x", "c": "y"}), {"a/b"}
    )
    assert run(trees) == 1
    assert of_remote(trees.remote) == {"a": None, "a/b": "x", "c": "y"}


def test_a_folder_with_something_held_in_it_is_not_deleted() -> None:
    trees = Trees(as_agreed({"a": None}), as_local({"a": None}), as_remote({}), {"a/link"})
    assert plan(trees) == [Action(Verb.MAKE_REMOTE, "a")]


def test_a_renamed_file_is_moved_on_the_server() -> None:
    trees = Trees(as_agreed({"a": "x"}), as_local({"b": "x"}), as_remote({"a": "x"}))
    assert list(rehearse(copy_view(trees), str)) == [Action(Verb.MOVE_REMOTE, "a", "b")]


def test_a_file_moved_on_the_server_is_moved_here() -> None:
    trees = Trees(as_agreed({"a": "x"}), as_local({"a": "x"}), as_remote({"b": None, "b/a": "x"}))
    assert list(rehearse(trees, str)) == [Action(Verb.MAKE_LOCAL, "b"), Action(Verb.MOVE_LOCAL, "a", "b/a")]


def test_a_resource_id_tells_a_move_where_tags_are_opaque() -> None:
    stamp = Stamp(1, 1, 1, 1)
    trees = Trees(
        Tree({"a": Agreed(folder=False, etag='"7"', digest="x", stamp=stamp, hashed_ns=0, resource_id="urn:uuid:1")}),
        Tree({"a": Local(folder=False, digest="x", stamp=stamp, hashed_ns=0)}),
        Tree({"b": Remote(folder=False, etag='"7"', length=1, resource_id="urn:uuid:1")}),
    )
    assert plan(trees) == [Action(Verb.MOVE_LOCAL, "a", "b")]


def test_an_opaque_tag_alone_does_not_tell_a_move() -> None:
    stamp = Stamp(1, 1, 1, 1)
    trees = Trees(
        Tree({"a": Agreed(folder=False, etag='"7"', digest="x", stamp=stamp, hashed_ns=0)}),
        Tree({"a": Local(folder=False, digest="x", stamp=stamp, hashed_ns=0)}),
        Tree({"b": Remote(folder=False, etag='"7"', length=1)}),
    )
    assert [action.verb for action in rehearse(trees, str)] == [Verb.DELETE_LOCAL, Verb.FORGET, Verb.DOWNLOAD]


def moved_folder(deeper: bool) -> Trees:
    base = {"a": None, "a/b": None, "a/b/c": "x"}
    inodes = {"a": 1, "a/b": 2, "a/b/c": 3}
    agreed = Tree(
        {path: entry._replace(stamp=Stamp(0, 0, inodes[path], 0)) for path, entry in as_agreed(base).rows.items()}
    )
    top = "n/z" if deeper else "z"
    local = {"n": None} if deeper else {}
    local |= {top: None, f"{top}/b": None, f"{top}/b/c": "x"}
    return Trees(agreed, as_local(local, {top: 1, f"{top}/b": 2, f"{top}/b/c": 3}), as_remote(base))


def test_a_renamed_folder_is_one_move() -> None:
    assert list(rehearse(moved_folder(deeper=False), str)) == [Action(Verb.MOVE_TREE, "a", "z")]


def test_a_folder_moved_into_a_new_one_is_one_move() -> None:
    assert list(rehearse(moved_folder(deeper=True), str)) == [
        Action(Verb.MAKE_REMOTE, "n"),
        Action(Verb.MOVE_TREE, "a", "n/z"),
    ]


def test_a_folder_that_could_not_be_moved_whole_is_moved_by_its_files() -> None:
    trees = moved_folder(deeper=False)
    trees.apart.add("a")
    trees.apart.add("a/b")
    assert [action.verb for action in rehearse(trees, str)] == [
        Verb.MAKE_REMOTE,
        Verb.MAKE_REMOTE,
        Verb.MOVE_REMOTE,
        Verb.DELETE_REMOTE,
        Verb.FORGET,
        Verb.FORGET,
    ]


def test_an_inode_used_again_is_no_move() -> None:
    trees = Trees(
        Tree({"a": as_agreed({"a": None}).rows["a"]._replace(stamp=Stamp(0, 0, 1, 0)), **as_agreed({"a/f": "x"}).rows}),
        as_local({"b": None, "b/g": "y"}, {"b": 1}),
        as_remote({"a": None, "a/f": "x"}),
    )
    assert Verb.MOVE_TREE not in [action.verb for action in rehearse(trees, str)]


def test_a_copy_on_the_server_is_copied_here() -> None:
    trees = Trees(as_agreed({"a": "x"}), as_local({"a": "x"}), as_remote({"a": "x", "b": "x"}))
    assert plan(trees) == [Action(Verb.DOWNLOAD, "b", "a")]


@pytest.mark.parametrize(
    ("had", "kept", "stopped"),
    [(10, 0, False), (40, 20, False), (40, 19, True), (41, 20, True), (100, 79, False), (20, 1, False), (21, 1, False)],
)
def test_more_than_half_and_more_than_20_gone_is_noticed_on_either_side(had: int, kept: int, stopped: bool) -> None:
    base = {f"f{number}": f"x{number}" for number in range(had)}
    rest = dict(list(base.items())[:kept])
    here = Trees(as_agreed(base), as_local(rest), as_remote(base))
    there = Trees(as_agreed(base), as_local(base), as_remote(rest))
    assert (find_mass_deletion(here) is not None) == stopped
    assert (find_mass_deletion(there) is not None) == stopped


@pytest.mark.parametrize("inside", ["d", "d/e"])
@pytest.mark.parametrize(("had", "left", "stopped"), [(20, {"d"}, True), (19, {"d"}, False), (20, set(), False)])
def test_a_folder_that_had_20_files_and_is_empty_is_noticed_on_either_side(
    inside: str, had: int, left: set[str], stopped: bool
) -> None:
    others: dict[str, str | None] = {f"f{number}": f"x{number}" for number in range(200)}
    base = {**others, "d": None, "d/e": None, **{f"{inside}/{number}": f"y{number}" for number in range(had)}}
    rest = {path: content for path, content in base.items() if path in {*others, *left}}
    here = Trees(as_agreed(base), as_local(rest), as_remote(base))
    there = Trees(as_agreed(base), as_local(base), as_remote(rest))
    assert (find_mass_deletion(here) is not None) == stopped
    assert (find_mass_deletion(there) is not None) == stopped


def test_moving_everything_is_no_deletion() -> None:
    base = {f"f{number}": f"x{number}" for number in range(10)}
    moved = {"n": None, **{f"n/{path}": content for path, content in base.items()}}
    assert find_mass_deletion(Trees(as_agreed(base), as_local(moved), as_remote(base))) is None
    assert find_mass_deletion(Trees(as_agreed(base), as_local(base), as_remote(moved))) is None


def test_a_moved_subtree_takes_its_members_along() -> None:
    tree = as_remote({"a": None, "a/b": "x", "ab": "y"})
    move_subtree(tree, "a", "c")
    assert of_remote(tree) == {"ab": "y", "c": None, "c/b": "x"}
