"""A store of alice in which others ask, and the difference between an answer and what the model expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from davstore.metadata import memberships
from davstore.metadata.unit import Unit
from davstore.model.functions import ALL
from davstore.model.principals import Principal, User
from tests.acl.matrix import FOLDERS, SECONDS, M, Method, Setting, acl_body, make, send, url
from tests.acl.model import PROPERTIES, STANDARD, Lack, Outcome, Store, expected
from tests.contract.storage import add_user
from tests.dav.client import ALICE, BOB, HOME, NOW, Answer, Client, D
from tests.dav.test_devices import mkcol_body
from tests.dav.test_locks import lock

CPM = "{urn:davstore:cpm}"
PEOPLE = {
    "alice": ALICE,
    "bob": BOB,
    "carol": Principal(User(3, "carol", 3, 1, disabled=False)),
    "dave": Principal(User(4, "dave", 4, 1, disabled=False)),
}
LISTS = {
    "list:family": frozenset({"list:close"}),
    "list:close": frozenset({"user:carol"}),
    "group:staff": frozenset({"user:dave"}),
}
"""A list of alice within another one, and a group of the provider's."""


def _add_people(unit: Unit) -> None:
    for name in ("carol", "dave"):
        add_user(unit, name, now_us=NOW)
    memberships.add_groups(unit, ["staff"])


class Scene:
    """A client on a store with people, and the setting that it has now."""

    def __init__(self, directory: Path) -> None:
        self.client = Client(directory)
        self.client.database.write(_add_people)
        self.client.services = replace(
            self.client.services, groups=lambda name: frozenset({"staff"} if name == "dave" else ())
        )
        self.client.serve(ALL)
        for name, member in (("close", "users/carol"), ("family", "lists/alice/close")):
            held = f"<D:group-member-set><D:href>/dav/principals/{member}/</D:href></D:group-member-set>"
            place = f"/dav/principals/lists/alice/{name}/"
            answer = self.client("MKCOL", place, mkcol_body(held), Content_Type="application/xml")
            assert answer.status == 201, answer
        self.setting = Setting("nothing", {})
        self._begun = 0
        make(self.client, "top")

    def apply(self, setting: Setting) -> None:
        """Set the entries of a setting in the place of those of the one before."""
        self.become("alice")
        self._begun = self.client.now_us // 1_000_000
        for path in self.setting.aces:
            self._control(path, Setting("nothing", {path: ()}))
        for path in setting.aces:
            self._control(path, setting)
        self.setting = setting
        if setting.late:
            self.client.now_us += 2 * SECONDS * 1_000_000

    def differences(self, asker: str, method: Method) -> list[str]:
        """Send a request, put back what it changed, and return in what its answer is not as expected."""
        store = Store("alice", FOLDERS, self.setting.aces, LISTS, 2 * SECONDS if self.setting.late else 0)
        wanted = expected(store, asker, method.name, method.path, method.to)
        self.become("alice")
        token = lock(self.client, url(M)) if method.name == "UNLOCK" else ""
        self.become(asker)
        answer = send(self.client, method, token)
        if method.name == "LOCK" and answer.status in (200, 201):
            self.client("UNLOCK", url(method.path), Lock_Token=answer.headers["Lock-Token"])
        self.become("alice")
        if token:
            self.client("UNLOCK", url(M), Lock_Token=f"<{token}>")
        if answer.status < 400:
            self.restore(method)
        found = compare(method, answer, wanted)
        return [f"{self.setting.name}: {asker} {method}: {one}" for one in found]

    def become(self, name: str) -> None:
        """Ask as one of the people."""
        self.client.principal = PEOPLE[name]

    def _control(self, path: str, setting: Setting) -> None:
        answer = self.client("ACL", url(path), acl_body(setting.aces[path], self._begun))
        assert answer.status == 200, (setting.name, path, answer)

    def restore(self, method: Method) -> None:
        """Make as its owner what a request may have taken, and take what it may have made."""
        self.become("alice")
        for path in {*method.makes, *method.spoils}:
            self.client("DELETE", url(path))
        for path in method.spoils:
            make(self.client, path)
            for one in self.setting.aces:
                if one == path or one.startswith(f"{path}/"):
                    self._control(one, self.setting)

    def close(self) -> None:
        """Let go of the store."""
        self.client.close()


def compare(method: Method, answer: Answer, wanted: Outcome) -> list[str]:
    """Return in what an answer is not as expected."""
    statuses = {404: (404, 409) if wanted.place else (404,), 403: (403,), 200: (200, 201, 204, 207)}[wanted.status]
    lacks = lacks_of(answer.xml) if answer.status == 403 and answer.body.startswith(b"<?xml") else []
    told = f"{answer.status} {show(lacks)}"
    if answer.status not in statuses:
        return [f"{told}, not {wanted.status} {show(wanted.lacks)}"]
    if wanted.status != 200:
        exact = names(lacks, wanted) or method.name == "HEAD"
        return [] if exact else [f"{told}, not {wanted.status} {show(wanted.lacks)}"]
    if wanted.rows is not None:
        return _compare_rows(method, answer, wanted.rows)
    refused = [one for one in answer.xml.iter(f"{D}status") if " 200 " not in one.text] if answer.status == 207 else []
    return [f"207 with {refused[0].text}"] if refused and method.name != "sync-collection" else []


def names(lacks: list[Lack], wanted: Outcome) -> bool:
    """Tell whether a refusal names what it must, each once, and nothing that it may not."""
    told = set(lacks)
    return len(told) == len(lacks) and wanted.lacks <= told <= wanted.lacks | wanted.also


def _compare_rows(method: Method, answer: Answer, rows: Mapping[str, Outcome]) -> list[str]:
    if method.name == "GET collection":
        listed = sorted(answer.body.decode().splitlines())
        wanted = sorted(url(path).removeprefix(url(method.path)) for path in rows if path != method.path)
        return [] if listed == wanted else [f"lists {listed}, not {wanted}"]
    found = {path_of(str(one.findtext(f"{D}href"))): _row(one) for one in answer.xml.iter(f"{D}response")}
    told = []
    for path in sorted({*found, *rows}):
        status, lacks = found.get(path, (0, []))
        row = rows.get(path, Outcome(0))
        if status == 404 and row.status == 403 and method.name in PROPERTIES:
            continue  # a property that may not be seen is either (RFC 4918 §9.1)
        if status != row.status or not (method.name.startswith("PROPFIND") or names(lacks, row)):
            told.append(f"row {path}: {status} {show(lacks)}, not {row.status} {show(row.lacks)}")
    return told


def _row(response: Any) -> tuple[int, list[Lack]]:
    statuses = {int(str(one.text).split()[1]) for one in response.iter(f"{D}status")} - {404}
    status = max(statuses, default=404)
    return (200 if status == 204 else status), lacks_of(response)


def lacks_of(element: Any) -> list[Lack]:
    """Return the paths and privileges that a `need-privileges` names; a privilege by its local name."""
    found = []
    for resource in element.iter(f"{D}resource"):
        [privilege] = resource.find(f"{D}privilege")
        local = privilege.tag.rpartition("}")[2]
        assert privilege.tag == (D if local in STANDARD else CPM) + local
        found.append((path_of(str(resource.findtext(f"{D}href"))), local))
    return found


def path_of(href: str) -> str:
    """Return the path of a URL."""
    assert href.startswith(HOME), href
    path = href.removeprefix(f"{HOME}").strip("/")
    assert href == url(path), href
    return path


def show(lacks: Any) -> str:
    """Return lacks as a text."""
    return " ".join(f"{privilege}@{path}" for path, privilege in sorted(lacks))
