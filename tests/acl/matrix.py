"""Cells of the matrix of rights: a setting of access control lists, one who asks, and a method; and how each is sent.

The store of alice is the same for all of them:

    top/                a folder above all
        s/              the source, with the message m.eml, the file n, and sub/x
        t/              the target, with the file o and the folder p
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tests.acl.model import OF_COLLECTIONS, PRIVILEGES, STANDARD, Ace, parent_of
from tests.dav.client import HOME, MESSAGE, Answer, Client, D, expand_body, setting, sync_body
from tests.dav.test_bulk import delete, hrefs, update
from tests.dav.test_locks import info
from tests.dav.test_multiget import multiget
from tests.dav.test_states import flag

S, M, N, SUB, X = "top/s", "top/s/m.eml", "top/s/n", "top/s/sub", "top/s/sub/x"
T, O, P = "top/t", "top/t/o", "top/t/p"  # noqa: E741
FOLDERS = {"": True, "top": True, S: True, M: False, N: False, SUB: True, X: False, T: True, O: False, P: True}
FREE_FOLDER = "top/s/qub"
"""A name that nothing has, of which a client thinks that it is a folder."""
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
MARK = setting('<x:mark xmlns:x="urn:x">m</x:mark>')
SEEN = setting(flag("seen"))


def url(path: str) -> str:
    """Return the URL of a path of the store."""
    return f"{HOME}/{path}" + ("/" if path and FOLDERS.get(path, path == FREE_FOLDER) else "")


class Method(NamedTuple):
    """A request: the name of its row in the model, its path, and its destination or the paths that its body names.

    A success makes the paths of `makes`, and those of `spoils` have to be made again.
    """

    name: str
    path: str
    to: str | tuple[str, ...] = ""
    makes: tuple[str, ...] = ()
    spoils: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.path} {self.to}".rstrip()


METHODS = (
    *(Method("OPTIONS", path) for path in (M, SUB, f"{S}/new")),
    *(Method(name, M) for name in ("GET", "HEAD", "GET part", "PROPFIND 0", "expand-property")),
    *(Method("GET", f"{S}/new"), Method("GET", f"{T}/new"), Method("DELETE", f"{S}/new")),
    *(Method("GET collection", path) for path in (S, SUB)),
    *(Method("PROPFIND 0", path) for path in ("top", S, SUB)),
    *(Method(f"PROPFIND {depth}", path) for depth in ("1", "infinity") for path in ("top", S)),
    *(Method(f"PROPFIND {what}", path) for what in ("acl",) for path in (M, SUB)),
    Method("multiget", S, (M, N, SUB, X)),
    Method("multiget", "top", (M, O, P)),
    *(Method("PUT", path, makes=(path,)) for path in (f"{S}/new", f"{T}/new")),
    *(Method("PUT", path) for path in (M, O)),
    *(Method("POST add", path, makes=(f"{path}/added.txt",)) for path in (S, T)),
    *(Method("MKCOL", path, makes=(path,)) for path in (f"{S}/new", f"{T}/new")),
    *(Method("DELETE", path, spoils=(path,)) for path in (M, SUB)),
    *(Method(f"PROPPATCH {what}", M) for what in ("property", "state", "both")),
    Method("PROPPATCH property", SUB),
    *(Method("LOCK", path) for path in (M, SUB)),
    Method("LOCK", f"{S}/new", makes=(f"{S}/new",)),
    Method("UNLOCK", M),
    *(Method("COPY", path, f"{T}/new", makes=(f"{T}/new",)) for path in (M, SUB)),
    Method("COPY", M, f"{S}/new", makes=(f"{S}/new",)),
    Method("COPY", M, O, spoils=(O,)),
    Method("COPY", SUB, P, spoils=(P,)),
    *(Method("MOVE", path, f"{T}/new", makes=(f"{T}/new",), spoils=(path,)) for path in (M, SUB)),
    Method("MOVE", M, O, makes=(O,), spoils=(M, O)),
    Method("MOVE", SUB, P, makes=(P,), spoils=(SUB, P)),
    *(Method("MOVE", path, f"{S}/new", makes=(f"{S}/new",), spoils=(path,)) for path in (M, SUB)),
    Method("MOVE", M, N, makes=(N,), spoils=(M, N)),
    *(Method("ACL", path, spoils=(path,)) for path in (M, SUB)),
    Method("bulk-update", S, (M, N)),
    Method("bulk-update", "top", (M, O)),
    Method("bulk-delete", S, (N, SUB), spoils=(N, SUB)),
)


class Setting(NamedTuple):
    """Entries of paths. `late` asks when those that expire have done so."""

    name: str
    aces: Mapping[str, Sequence[Ace]]
    late: bool = False


SECONDS = 60
"""How long an entry of a setting holds that expires."""


def grant(*privileges: str, who: str = "user:bob", expires: float | None = None) -> Ace:
    """Return an entry that grants."""
    return Ace(who, frozenset(privileges), expires=expires)


def deny(*privileges: str, who: str = "user:bob", expires: float | None = None) -> Ace:
    """Return an entry that denies."""
    return Ace(who, frozenset(privileges), deny=True, expires=expires)


def settings_of(who: str) -> Iterator[Setting]:
    """Yield all settings for a principal: each privilege granted and denied, on the resource, above it, and in time."""
    see, everything = grant("access", "list", who=who), grant("all", who=who)
    yield Setting("nothing", {})
    yield Setting("see", {"top": [see]})
    for one in ("delete", "copy", "write", "read-acl"):
        yield Setting(f"deny {one} of a member of a tree", {"top": [everything], X: [deny(one, who=who)]})
    for one in PRIVILEGES:
        given, taken = grant(one, who=who), deny(one, who=who)
        short, withheld = given._replace(expires=SECONDS), taken._replace(expires=SECONDS)
        own = [M, N, SUB] if one not in OF_COLLECTIONS else [SUB]
        yield Setting(f"grant {one} above", {"top": [given]})
        yield Setting(f"grant {one} above, see", {"top": [see, given]})
        yield Setting(f"grant {one} of the source", {S: [given]})
        yield Setting(f"grant {one} of the source, see", {"top": [see], S: [given]})
        yield Setting(f"grant {one} of the target, see", {"top": [see], T: [given]})
        yield Setting(f"grant {one} of the members", {path: [given] for path in own})
        yield Setting(f"grant {one} of the members, see", {"top": [see]} | {path: [given] for path in own})
        yield Setting(f"grant {one} of what is there, see", {"top": [see]} | {path: [given] for path in (P, *own)})
        yield Setting(f"deny {one} above", {"top": [taken, everything]})
        yield Setting(f"deny {one} above grants", {"top": [taken], **{path: [everything] for path in (S, M, SUB, T)}})
        yield Setting(f"deny {one} of the source", {"top": [everything], S: [taken]})
        yield Setting(f"deny {one} of the target", {"top": [everything], T: [taken]})
        yield Setting(f"deny {one} of the members", {"top": [everything]} | {path: [taken] for path in own})
        yield Setting(f"grant {one} for a while, see", {"top": [see, short]})
        yield Setting(f"grant {one} until now, see", {"top": [see, short]}, late=True)
        yield Setting(f"deny {one} for a while", {"top": [withheld, everything]})
        yield Setting(f"deny {one} until now", {"top": [withheld, everything]}, late=True)


def acl_body(aces: Sequence[Ace], begun: float) -> str:
    """Return the body of ACL for entries; what expires does so by seconds after `begun`."""
    ordered = sorted(aces, key=lambda ace: not ace.deny)
    return f"<D:acl {NAMESPACES}>{''.join(_ace(ace, begun) for ace in ordered)}</D:acl>"


def _ace(ace: Ace, begun: float) -> str:
    given = "".join(f"<D:privilege><{prefixed(one)}/></D:privilege>" for one in sorted(ace.privileges))
    verb = "deny" if ace.deny else "grant"
    expires = ""
    if ace.expires is not None:
        at = datetime.fromtimestamp(begun + ace.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        expires = f"<C:expires>{at}</C:expires>"
    principal = f"<D:principal>{_principal(ace.who)}</D:principal>"
    return f"<D:ace>{principal}<D:{verb}>{given}</D:{verb}>{expires}</D:ace>"


def prefixed(privilege: str) -> str:
    """Return the name of a privilege as `NAMESPACES` has it."""
    return f"{'D' if privilege in STANDARD else 'C'}:{privilege}"


def _principal(who: str) -> str:
    kind, _, name = who.partition(":")
    if kind == "authenticated":
        return "<D:authenticated/>"
    if kind == "owner":
        return "<D:property><D:owner/></D:property>"
    place = {"user": f"users/{name}", "list": f"lists/alice/{name}", "group": f"groups/{name}"}[kind]
    return f"<D:href>/dav/principals/{place}/</D:href>"


def make(client: Client, path: str) -> None:
    """Make a resource of the store, with all beneath it, as its owner."""
    if FOLDERS[path]:
        client.mkcol(path)
        for one in FOLDERS:
            if parent_of(one) == path and one != path:
                make(client, one)
    else:
        client.put(path, MESSAGE if path == M else path)


def send(client: Client, method: Method, token: str = "") -> Answer:
    """Send the request of a method. `token` is that of a lock of another one, for UNLOCK."""
    verb, _, kind = method.name.partition(" ")
    here = url(method.path)
    if verb == "PROPFIND":
        asked = {"acl": "acl", "privileges": "current-user-privilege-set"}.get(kind, "resourcetype")
        return client.find(here, f"{D}{asked}", depth="0" if asked != "resourcetype" else kind)
    if verb in ("COPY", "MOVE"):
        assert isinstance(method.to, str)
        return client(verb, here, Destination=url(method.to))
    if verb == "PROPPATCH":
        return client.patch(here, {"property": MARK, "state": SEEN, "both": MARK + SEEN}[kind])
    if verb in ("bulk-update", "bulk-delete", "multiget"):
        named = [url(one) for one in method.to]
        if verb == "multiget":
            return multiget(client, here, "<D:getetag/><D:resourcetype/>", *named)
        return (
            update(client, here, hrefs(*named), SEEN) if verb == "bulk-update" else delete(client, here, hrefs(*named))
        )
    return _send_plain(client, method, here, token)


def _send_plain(client: Client, method: Method, here: str, token: str) -> Answer:
    match method.name:
        case "GET part":
            return client("GET", f"{here}?part=1")
        case "GET collection":
            return client("GET", here, Accept="text/plain")
        case "PUT":
            return client("PUT", here, MESSAGE if method.path == M else method.path)
        case "POST add":
            return client("POST", f"{here}?add", "x", Slug="added.txt", Content_Type="text/plain")
        case "LOCK":
            return client("LOCK", here, info(), Depth="0")
        case "UNLOCK":
            return client("UNLOCK", here, Lock_Token=f"<{token}>")
        case "ACL":
            return client("ACL", here, acl_body([grant("all", who="user:dave")], 0))
        case "sync-collection":
            return client("REPORT", here, sync_body())
        case "expand-property":
            return client("REPORT", here, expand_body('<D:property name="owner"/>'))
        case name:
            return client(name, here)
