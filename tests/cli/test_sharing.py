"""`davstore share`, `unshare` and `shares` as an operator calls them (docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davstore import wiring
from davstore.cli import main
from davstore.engine.context import Context, Services
from davstore.errors import NotFound
from davstore.errors.rights import NeedPrivileges
from davstore.metadata import principals, stores
from davstore.metadata.unit import Unit
from davstore.model import paths
from davstore.model.acl import AskedAce, Privilege
from davstore.model.locks import LockInfo, LockScope
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind
from davstore.settings import load_settings
from davstore.store import controlling, enrolling, locking, making, putting, reading
from davstore.store.putting import NewContent

Run = Callable[..., Result]
BOB = NamedPrincipal(PrincipalKind.USER, "bob")
CAROL = NamedPrincipal(PrincipalKind.USER, "carol")
LATER = "2999-12-31"


class World:
    """A store on disk with alice's `Photos/2026/a` and `Work`, and the users bob and carol."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        groups = directory / "principals.toml"
        groups.write_text(
            '[[group]]\nname = "family"\nmembers = ["alice", "bob"]\n[[group]]\nname = "staff"\nmembers = ["carol"]\n'
        )
        self.config = directory / "davstore.toml"
        self.config.write_text(f'[principals]\nfile = "{groups}"\n')
        self.settings = load_settings(self.config, flags={"data.path": str(directory / "data")})
        database = wiring.open_storage(self.settings).database
        database.write(_add_users)
        enrolling.add_device(database, "alice", "phone", now_us=1)
        database.close()
        with self.asking("alice") as context:
            for folder in (("Photos",), ("Photos", "2026"), ("Work",)):
                making.make_collection(context, paths.Path("alice", folder))
            putting.put(context, self.at("Photos/2026/a"), NewContent(BytesIO(b"x"), 1, None))

    def at(self, text: str) -> paths.Path:
        return paths.Path("alice", tuple(text.split("/")))

    @contextmanager
    def asking(self, user: str, now_us: int | None = None) -> Iterator[Context]:
        with wiring.open_services(self.settings) as plain:
            services: Services = replace(plain, groups=wiring.open_groups(self.settings).of)
            context = services.context(Principal(enrolling.get_user(services.database, user)))
            yield context if now_us is None else replace(context, now_us=now_us)

    def status(self, user: str, path: str, now_us: int | None = None) -> str:
        """Return what a user may do at a path: "write", "read" or "nothing"."""
        with self.asking(user, now_us) as context:
            try:
                reading.find(context, self.at(path))
                putting.put(context, self.at(path), NewContent(BytesIO(b"y"), 1, None))
            except NotFound:
                return "nothing"
            except NeedPrivileges:
                return "read"
            return "write"

    def run(self, *words: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, [*words, "-c", str(self.config), "--data", str(self.directory / "data")])
        assert done.exit_code == status, done.output
        return done.output

    def rows(self, *words: str) -> list[list[str]]:
        head, *rows = self.run("shares", *words).splitlines()
        assert head.split() == ["OWNER", "PATH", "WITH", "MAY", "UNTIL"]
        return [row.split() for row in rows]


def _add_users(unit: Unit) -> None:
    """Add users that cannot sign in: to prove a password takes a second."""
    for name in ("alice", "bob", "carol"):
        store_id = stores.create(unit, name, now_us=1, quota_bytes=None)
        principals.add_user(unit, name, password_hash="-", store_id=store_id, now_us=1)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(untouched: World) -> Iterator[World]:
    yield untouched
    for user, path in [("alice", one) for one in ("Photos", "Photos/2026", "Photos/2026/a")] + [("bob", "")]:
        with untouched.asking(user) as context:
            controlling.set_acl(context, paths.Path(user, tuple(filter(None, path.split("/")))), [])
    assert untouched.rows() == []


def test_a_folder_is_shared_and_no_longer(world: World) -> None:
    assert world.status("bob", "Photos/2026/a") == "nothing"
    assert world.run("share", "alice", "Photos", "--with", "bob", "--may", "read") == ""
    assert [world.status(user, "Photos/2026/a") for user in ("bob", "carol")] == ["read", "nothing"]
    world.run("share", "alice", "/Photos/", "--with", "bob", "--may", "write")
    assert world.status("bob", "Photos/2026/a") == "write"
    with world.asking("bob") as context, pytest.raises(NeedPrivileges):
        controlling.set_acl(context, world.at("Photos"), [])
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "read")  # less again
    assert world.status("bob", "Photos/2026/a") == "read"
    world.run("unshare", "alice", "Photos", "--with", "bob")
    assert world.status("bob", "Photos/2026/a") == "nothing"
    assert world.run("unshare", "alice", "Photos", "--with", "bob", status=1) == (
        "davstore: Photos is not shared with bob\n"
    )


def test_a_share_keeps_what_others_may(world: World) -> None:
    denied = AskedAce("", True, int(Privilege.WRITE), None, None)  # noqa: FBT003
    with world.asking("alice") as context:
        granted = denied._replace(denies=False, privileges=int(Privilege.READ))
        controlling.set_acl(context, world.at("Photos"), [(BOB, denied), (CAROL, granted)])
    world.run("share", "alice", "Photos", "--with", "group:family", "--may", "write")
    assert [world.status(user, "Photos/2026/a") for user in ("bob", "carol")] == ["read", "read"]
    world.run("unshare", "alice", "Photos")
    assert world.rows() == [["alice", "Photos/", "bob", "not", "write", "-"]]


def test_a_share_ends_by_itself(world: World) -> None:
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "read", "--until", f"{LATER}T12:00:00+00:00")
    noon_us = int(datetime(2999, 12, 31, 12, tzinfo=UTC).timestamp()) * 1_000_000
    assert world.status("bob", "Photos/2026/a", noon_us - 1) == "read"
    assert world.status("bob", "Photos/2026/a", noon_us) == "nothing"
    assert world.rows("alice") == [["alice", "Photos/", "bob", "read", "2999-12-31T12:00:00Z"]]


def test_a_day_is_meant_to_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "read", "--until", LATER)
    assert world.rows() == [["alice", "Photos/", "bob", "read", "3000-01-01T00:00:00Z"]]


def test_what_is_shared_is_listed_for_both(world: World) -> None:
    world.run("share", "alice", "Photos/2026", "--with", "group:family", "--may", "access,list", "--may", "add-item")
    world.run("share", "alice", "Photos/2026/a", "--with", "carol", "--may", "write-content")
    world.run("share", "bob", "/", "--with", "carol", "--may", "write")
    family = ["alice", "Photos/2026/", "group:family", "list,access,add-item", "-"]
    carols = ["alice", "Photos/2026/a", "carol", "write-content", "-"]
    whole = ["bob", "/", "carol", "read,write", "-"]
    assert sorted_rows(world.rows()) == sorted_rows([family, carols, whole])
    assert sorted_rows(world.rows("alice")) == sorted_rows([family, carols])
    assert sorted_rows(world.rows("bob")) == sorted_rows([family, whole])
    assert sorted_rows(world.rows("carol")) == sorted_rows([carols, whole])


def sorted_rows(rows: list[list[str]]) -> list[list[str]]:
    """Return rows in one order, and the words of each cell too."""
    return sorted([[",".join(sorted(cell.split(","))) for cell in row] for row in rows])


def test_the_owner_synchronises_a_share_as_a_change(world: World) -> None:
    with world.asking("alice") as context:
        before = reading.find(context, world.at("Photos")).changed
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "read")
    with world.asking("alice") as context:
        assert reading.find(context, world.at("Photos")).changed > before


def test_a_locked_folder_is_not_shared(world: World) -> None:
    info = LockInfo(LockScope.EXCLUSIVE, None)
    with world.asking("alice") as context:
        lock = locking.lock(context, world.at("Photos"), info, infinite=True, seconds=None)
    said = world.run("share", "alice", "Photos", "--with", "bob", "--may", "read", status=1)
    assert said == "davstore: Photos is locked; `davstore lock list` says by whom\n"
    assert world.status("bob", "Photos/2026/a") == "nothing"
    with world.asking("alice") as context:
        locking.unlock(context, world.at("Photos"), lock.lock.token)


BAD = [
    (["nobody", "Photos", "--with", "bob"], 1, "there is no user nobody"),
    (["alice", "Photos/none", "--with", "bob"], 1, "alice has no Photos/none"),
    (["alice", "Photos/..", "--with", "bob"], 2, "'Photos/..' is no path of a store"),
    (["alice", "Photos", "--with", "dave"], 1, "there is no user dave"),
    (["alice", "Photos", "--with", "alice"], 2, "alice may do everything already"),
    (["alice", "Photos", "--with", "phone"], 2, "phone is a device; it may do what its user may"),
    (["alice", "Photos", "--with", "alice/phone"], 2, "alice/phone is a device; it may do what its user may"),
    (["alice", "Photos", "--with", "bob/phone"], 1, "there is no user bob/phone"),
    (["alice", "Photos", "--with", "group:staff"], 1, "there is no group:staff that alice can share with"),
    (["alice", "Photos", "--with", "list:none"], 1, "there is no list:none that alice can share with"),
    (["alice", "Photos", "--with", "team:x"], 2, "'team:x' is neither a user nor group:NAME or list:NAME"),
    (["alice", "Photos", "--with", "bob", "--until", "2001-01-01"], 2, "--until is past"),
]


@pytest.mark.parametrize(("words", "status", "said"), BAD, ids=[said for _, _, said in BAD])
def test_what_cannot_be_shared_is_said_in_a_line(untouched: World, words: list[str], status: int, said: str) -> None:
    assert untouched.run("share", *words, "--may", "read", status=status) == f"davstore: {said}\n"
    assert untouched.rows() == []


@pytest.mark.parametrize("words", [["--may", "fly"], ["--may", "read", "--until", "soon"], ["--until", LATER], []])
def test_a_wrong_call_ends_with_a_line(untouched: World, words: list[str]) -> None:
    said = untouched.run("share", "alice", "Photos", "--with", "bob", *words, status=2)
    assert said.startswith("davstore: ")
    assert said.count("\n") == 1


def test_an_unknown_user_has_no_shares(untouched: World) -> None:
    assert untouched.run("shares", "nobody", status=1) == "davstore: there is no user nobody\n"


def explained(world: World, *words: str, status: int = 0) -> list[str]:
    return world.run("acl", "explain", *words, status=status).splitlines()


def test_the_entry_that_decides_is_named(world: World) -> None:
    world.run("share", "alice", "Photos", "--with", "group:family", "--may", "write", "--until", f"{LATER}T12:00:00Z")
    until = "until 2999-12-31T12:00:00Z"
    assert explained(world, "bob", "put", "alice/Photos/2026/a") == [
        "allowed",
        f"  write-content on alice/Photos/2026/a: granted to group:family at alice/Photos {until}",
    ]
    assert explained(world, "bob", "ACL", "/dav/store/alice/Photos/") == [
        "refused (403)",
        "  write-acl on alice/Photos: no entry grants it",
    ]
    assert explained(world, "bob", "PUT", "alice/Photos/new") == [
        "allowed",
        f"  add-item on alice/Photos: granted to group:family at alice/Photos {until}",
    ]
    assert explained(world, "carol", "GET", "alice/Photos") == [
        "as if nothing were there (404)",
        "  access on alice/Photos: no entry grants it",
        "  list on alice: no entry grants it",
    ]
    assert explained(world, "alice", "DELETE", "alice/Photos") == [
        "allowed",
        "  all on alice/Photos: granted to (owner) at alice/Photos",
    ]


def test_a_deny_is_named_wherever_it_stands(world: World) -> None:
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "all")
    denied = AskedAce("", True, int(Privilege.DELETE), None, None)  # noqa: FBT003
    with world.asking("alice") as context:
        controlling.set_acl(context, world.at("Photos/2026/a"), [(BOB, denied)])
    for path in ("alice/Photos/2026/a", "alice/Photos/2026"):
        answer, own, above = explained(world, "bob", "DELETE", path)
        assert answer == "refused (403)"
        assert own == f"  delete on {path}: denied to bob at alice/Photos/2026/a"
        assert above.endswith("granted to bob at alice/Photos")
    assert explained(world, "bob", "MOVE", "alice/Photos/2026/a")[0] == "allowed"


def test_parts_of_a_privilege_are_no_privilege(world: World) -> None:
    world.run("share", "alice", "Photos", "--with", "bob", "--may", "access,list-filtered")
    assert explained(world, "bob", "REPORT", "alice/Photos") == [
        "refused (403)",
        "  access on alice/Photos: granted to bob at alice/Photos",
        "  list on alice/Photos: only a part is granted to bob at alice/Photos",
    ]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nobody", "GET", "alice/Photos"], 1, "davstore: there is no user nobody"),
        (["bob", "GET", "nobody/Photos"], 1, "davstore: there is no user nobody"),
        (["bob", "GET", "/dav/"], 2, "davstore: '/dav/' is no path like alice/Photos/a or /dav/store/alice/Photos/a"),
        (["bob", "GET", "/"], 2, "davstore: '/' is no path like alice/Photos/a or /dav/store/alice/Photos/a"),
        (["bob", "FLY", "alice/Photos"], 2, "davstore: FLY: there are OPTIONS, GET, HEAD,"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(untouched: World, words: list[str], status: int, said: str) -> None:
    [line] = explained(untouched, *words, status=status)
    assert line.startswith(said)
