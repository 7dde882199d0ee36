"""POST of `C:bulk-update` and `C:bulk-delete` on a collection (docs/protocol.md#many-resources-at-once)."""

from __future__ import annotations

import pytest

from davstore.errors import Unavailable
from davstore.model.functions import ALL, Function
from davstore.model.rules import Reach, Rule
from davstore.store.gating import Gate
from tests.dav.client import ALICE, HOME, MESSAGE, PHONE, Answer, Client, D, removing, setting, token_of
from tests.dav.test_filters import READ, UNREAD, told
from tests.dav.test_locks import info
from tests.dav.test_states import flag, marks, modseq, word

C = "{urn:davstore:cpm}"
XML = "application/xml"
SEEN = setting(flag("seen"))
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'


def hrefs(*paths: str) -> str:
    """Return hrefs; those that begin with a slash or a scheme stand there as they are."""
    whole = [path if path.startswith(("/", "http")) else f"{HOME}/{path}" for path in paths]
    return "".join(f"<D:href>{path.replace('&', '&amp;')}</D:href>" for path in whole)


def where(condition: str) -> str:
    return f"<D:where>{condition}</D:where>"


def update(dav: Client, path: str, *content: str, **headers: str | None) -> Answer:
    """Ask for a change of states of resources beneath a collection."""
    body = f"<C:bulk-update {NAMESPACES}>{''.join(content)}</C:bulk-update>"
    return dav("POST", path, body, **{"Content_Type": XML, **headers})


def delete(dav: Client, path: str, *content: str, **headers: str | None) -> Answer:
    """Ask for the end of resources beneath a collection."""
    body = f"<C:bulk-delete {NAMESPACES}>{''.join(content)}</C:bulk-delete>"
    return dav("POST", path, body, **{"Content_Type": XML, **headers})


def rows(answer: Answer) -> list[tuple[str, str]]:
    """Return the href of each response with its statuses and conditions, in order."""
    assert answer.status == 207, answer
    found = []
    for response in answer.xml.iter(f"{D}response"):
        statuses = [str(one.text).split(" ")[1] for one in response.iter(f"{D}status")]
        conditions = [one[0].tag.rpartition("}")[2] for one in response.iter(f"{D}error")]
        found.append((str(response.findtext(f"{D}href")).removeprefix(f"{HOME}/"), " ".join(statuses + conditions)))
    return found


@pytest.fixture
def tree(dav: Client) -> Client:
    """Return the client with `c/a`, `c/b`, `c/d/x` and `o/x`."""
    dav.mkcol("c", "c/d", "o")
    for path in ("c/a", "c/b", "c/d/x", "o/x"):
        dav.put(path, MESSAGE)
    return dav


def test_states_of_many_are_changed_in_one_request(tree: Client) -> None:
    token = token_of(tree.sync("c/"))
    answer = update(tree, "c/", hrefs("c/a", "c/d/x"), SEEN, setting(word("work")), removing(flag("flagged", "")))
    assert rows(answer) == [("c/a", "200"), ("c/d/x", "200")]
    [first, _] = answer.xml.iter(f"{D}propstat")
    assert [one.tag for one in first.find(f"{D}prop")] == [f"{C}seen", "{urn:davstore:cpm:keyword}work", f"{C}flagged"]
    assert [marks(tree, path, "work") for path in ("c/a", "c/d/x", "c/b")] == [
        {"seen", "work"},
        {"seen", "work"},
        set(),
    ]
    report = tree.sync("c/", token)
    assert told(report) == {"c/a": "there", "c/d/x": "there"}
    assert token_of(answer) == token_of(report)  # of the same instant
    assert told(tree.sync("c/", token_of(answer))) == {}


def test_each_place_is_told_once_as_other_answers_spell_it(tree: Client) -> None:
    tree.put("c/%C3%A4%26")
    named = ("c/%61", "c/a", "c//a", "http://dav.example/dav/store/alice/c/a?v=1", "c/%c3%a4&", "c/no", "c/no/", "c/d")
    answer = update(tree, "c/", hrefs(*named), SEEN)
    assert [href for href, _ in rows(answer)] == ["c/a", "c/%C3%A4&", "c/no", "c/d/"]


def test_an_href_elsewhere_is_told_by_itself(tree: Client) -> None:
    named = {
        "c/a": "200",
        "o/x": "403",
        "c/": "403",
        "": "403",
        "o/no": "404",
        "c/no": "404",
        "c/a/x": "404",
        "c/a?part=1": "403 part-is-immutable",
        "c/no?part=1": "404",
        "o/x?part=1": "403",
        "c/a?preview=1": "404",
        "http://elsewhere.example/dav/store/alice/c/b": "403",
        "/dav/store/bob/c/a": "404",
        "/dav/store/nobody/": "404",
        "/dav/principals/users/alice/": "403",
        "/dav/principals/users/bob/": "404",
        "/healthz": "404",
    }
    assert rows(update(tree, "c/", hrefs(*named), SEEN)) == [*named.items()]
    assert rows(delete(tree, "c/", hrefs(*named))) == [*{**named, "c/a": "204"}.items()]
    assert tree.names("c") == ["b", "d/"]


@pytest.mark.parametrize("href", ["a", "c/a b", "/dav/%", "/dav/store/alice/../x", "mailto:x", "#x"])
def test_an_href_that_cannot_be_read_changes_nothing(tree: Client, href: str) -> None:
    refused = update(tree, "c/", hrefs("c/a"), f"<D:href>{href}</D:href>", SEEN)
    assert (refused.status, marks(tree, "c/a")) == (400, set())


REFUSED = {
    "a value": (setting(flag("seen", "yes")), "409"),
    "a fact": (setting(flag("subject", "x")), "403 cannot-modify-protected-property"),
    "a list of keywords": (setting(flag("keywords", "x")), "403 cannot-modify-protected-property"),
    "a dead property": (setting('<x xmlns="urn:x">1</x>'), "403 cannot-modify-protected-property"),
    "no property": (removing('<x xmlns="urn:x"/>'), "403 cannot-modify-protected-property"),
    "a time": (setting("<D:getlastmodified>1</D:getlastmodified>"), "403 cannot-modify-protected-property"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_refused_property_refuses_all_of_a_resource(tree: Client, case: str) -> None:
    content, status = REFUSED[case]
    code, *condition = status.split(" ")
    expected = " ".join([code, "424", *condition])
    answer = update(tree, "c/", hrefs("c/a", "c/b"), content, setting(flag("flagged")))
    assert rows(answer) == [("c/a", expected), ("c/b", expected)]
    assert marks(tree, "c/a") == set()
    assert {href for href, _ in rows(update(tree, "c/", where(UNREAD), content))} == {"c/a", "c/b", "c/d/x"}


def test_collections_have_no_states(tree: Client) -> None:
    answer = update(tree, "", hrefs("c", "c/a"), SEEN)
    assert rows(answer) == [("c/", "403 cannot-modify-protected-property"), ("c/a", "200")]


def test_a_condition_selects_and_failures_alone_are_told(tree: Client) -> None:
    update(tree, "c/", hrefs("c/b"), SEEN)
    number = modseq(tree, "c/b")
    locked = tree("LOCK", "c/d/x", info())
    assert rows(update(tree, "c/", where(UNREAD), SEEN)) == [("c/d/x", "423 lock-token-submitted")]
    assert [marks(tree, path) for path in ("c/a", "c/d/x", "o/x")] == [{"seen"}, set(), set()]
    assert modseq(tree, "c/b") == number
    token = locked.headers["Lock-Token"]
    assert rows(update(tree, "c/", where(UNREAD), SEEN, If=f"<{HOME}/c/d/x> ({token})")) == []
    assert rows(delete(tree, "", where(READ))) == [("c/d/x", "423 lock-token-submitted")]
    assert (tree.names("c"), tree.names("o")) == (["d/"], ["x"])


def test_a_lock_is_told_with_its_root(tree: Client) -> None:
    tree("LOCK", "c/d", info(), Depth="infinity")
    answer = delete(tree, "", hrefs("c/d/x", "c/b"))
    assert rows(answer) == [("c/d/x", "423 lock-token-submitted"), ("c/b", "204")]
    [condition] = answer.xml.iter(f"{D}lock-token-submitted")
    assert condition.findtext(f"{D}href") == f"{HOME}/c/d/"


def test_strict_is_all_or_nothing(tree: Client) -> None:
    token = token_of(tree.sync("c/"))
    answer = update(tree, "c/", hrefs("c/a", "c/no", "c/d"), SEEN, Prefer="handling=strict")
    assert rows(answer) == [("c/a", "424"), ("c/no", "404"), ("c/d/", "403 cannot-modify-protected-property")]
    assert answer.headers["Preference-Applied"] == "handling=strict"
    assert token_of(answer) == token
    assert rows(delete(tree, "c/", hrefs("c/a", "o/x"), Prefer="handling=strict")) == [("c/a", "424"), ("o/x", "403")]
    answer = delete(tree, "c/", hrefs("c/a", "c/d"), Prefer="handling=strict")
    assert rows(answer) == [("c/a", "204"), ("c/d/", "204")]
    assert "Preference-Applied" not in delete(tree, "c/", hrefs("c/a"), Prefer="handling=lenient").headers
    assert tree.names("c") == ["b"]


def test_conditions_are_judged_first(tree: Client) -> None:
    token = token_of(tree.sync("c/"))
    tree.put("c/new")
    for headers in ({"If": f"<{HOME}/c/> (<{token}>)"}, {"If_None_Match": "*"}, {"If": '(["x"])'}):
        assert update(tree, "c/", hrefs("c/a"), SEEN, **headers).status == 412
    assert marks(tree, "c/a") == set()
    guarded = {"If": f"<{HOME}/c/> (<{token_of(tree.sync('c/'))}>)"}
    assert rows(update(tree, "c/", hrefs("c/a"), SEEN, **guarded)) == [("c/a", "200")]
    assert update(tree, "c/", hrefs("c/b"), SEEN, **guarded).status == 412


@pytest.mark.parametrize(
    ("body", "headers", "status", "condition"),
    [
        ("<a", {"Content_Type": XML}, 400, None),
        ("", {"Content_Type": XML}, 400, None),
        ("<bulk-update/>", {"Content_Type": XML}, 422, f"{C}supported-operation"),
        ("<a/>", {"Content_Type": "text/xml; charset=utf-8"}, 422, f"{C}supported-operation"),
        ("a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415, None),
        ("a=b", {}, 415, None),
    ],
)
def test_what_is_no_operation(
    tree: Client, body: str, headers: dict[str, str], status: int, condition: str | None
) -> None:
    answer = tree("POST", "c/", body, **headers)
    assert answer.status == status
    assert condition is None or answer.condition == condition
    assert update(tree, "c/", SEEN).status == 400


def test_a_condition_that_is_not_known_changes_nothing(tree: Client) -> None:
    refused = delete(tree, "c/", where("<D:contains>x</D:contains>"))
    assert (refused.status, refused.condition) == (422, f"{C}sync-filter-supported")
    assert delete(tree, "c/", hrefs(*("c/a",) * 5_001)).status == 413
    assert rows(delete(tree, "c/", hrefs(*("c/no",) * 5_000))) == [("c/no", "404")]
    assert tree.names("c") == ["a", "b", "d/"]


def test_only_collections_have_it(tree: Client) -> None:
    answer = update(tree, "c/a", hrefs("c/a"), SEEN)
    assert (answer.status, "POST" in answer.headers["Allow"]) == (405, False)
    assert update(tree, "c/no/", hrefs("c/a"), SEEN).status == 404
    assert update(tree, "/dav/store/", hrefs("c/a"), SEEN).status == 405
    assert update(tree, "/dav/store/bob/", hrefs("c/a"), SEEN).status == 404
    assert update(tree, "c/a?part=1", hrefs("c/a"), SEEN).status == 405
    assert rows(delete(tree, "", hrefs("", "c", "o"))) == [("", "403"), ("c/", "204"), ("o/", "204")]


def test_a_device_selects_in_its_view_and_is_asked_about_it(tree: Client) -> None:
    tree.principal = PHONE
    tree.rules = (Rule("no-d", exclude=(("c", "d"),)),)
    answer = update(tree, "c/", where(UNREAD), SEEN)
    assert rows(answer) == []
    assert answer.xml.find(f"{C}sync-policy-applied") is not None
    assert [marks(tree, path) for path in ("c/a", "c/d/x")] == [{"seen"}, set()]
    assert update(tree, "c/d/", where(UNREAD), SEEN).condition == f"{C}sync-scope-allowed"
    # a place that is named is a write there, as a PROPPATCH is
    assert rows(update(tree, "c/", hrefs("c/d/x"), SEEN)) == [("c/d/x", "200")]
    tree.rules = (Rule("hide", withhold_states=frozenset({"seen"})),)
    assert rows(delete(tree, "c/", where(READ))) == []
    assert tree.names("c") == ["a", "b", "d/"]
    tree.rules = (Rule("only-o", include=(Reach(("o",)),)),)
    update(tree, "", where(READ), setting(flag("flagged")))
    tree.principal = ALICE
    assert [marks(tree, path) for path in ("c/a", "o/x")] == [{"seen"}, set()]


def test_an_interval_counts_selections_as_listings(tree: Client) -> None:
    tree.principal = PHONE
    tree.rules = (Rule("hourly", min_interval_seconds=3_600),)
    assert update(tree, "c/", where(UNREAD), SEEN).status == 207
    assert update(tree, "c/", where(UNREAD), SEEN).status == 429
    assert update(tree, "c/", hrefs("c/a"), SEEN).status == 207


def test_without_rules_nothing_is_changed(tree: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has a sync token, and a token names the view."""

    def fail(*_: object) -> None:
        raise Unavailable("there are no rules")

    tree.principal = PHONE
    monkeypatch.setattr(Gate, "find_view", fail)
    assert update(tree, "c/", hrefs("c/a"), SEEN).status == 503
    assert marks(tree, "c/a") == set()


def test_without_synchronisation_there_is_no_token(tree: Client) -> None:
    tree.serve(ALL - {Function.SYNCHRONIZATION})
    answer = update(tree, "c/", hrefs("c/a"), SEEN)
    assert (rows(answer), answer.xml.find(f"{D}sync-token")) == ([("c/a", "200")], None)
