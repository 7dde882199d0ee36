"""States of messages and other files: flags, keywords, the number of the last change, and `If` with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davstore.metadata import bindings, bodies, messages
from davstore.metadata.unit import Unit
from davstore.model.messages import MessageFacts
from davstore.model.nodes import ResourceType
from davstore.model.paths import Path
from davstore.model.states import MOST_KEYWORDS
from tests.dav.client import HOME, NOW, PHONE, Answer, Client, D, removing, setting, sync_body, token_of
from tests.dav.test_locks import info

C = "{urn:davstore:cpm}"
K = "{urn:davstore:cpm:keyword}"
HOME_PATH = Path("alice")
FLAGS = ("seen", "answered", "forwarded", "draft", "flagged", "deleted", "read-report-sent")
PROTECTED = f"{D}cannot-modify-protected-property"
PROPNAME = '<propfind xmlns="DAV:"><propname/></propfind>'


def flag(local: str, value: str = "T") -> str:
    """Return the element of a flag."""
    return f'<C:{local} xmlns:C="urn:davstore:cpm">{value}</C:{local}>'


def word(local: str, value: str = "T") -> str:
    """Return the element of a keyword."""
    return f'<k:{local} xmlns:k="urn:davstore:cpm:keyword">{value}</k:{local}>'


def marks(dav: Client, path: str, *keywords: str) -> set[str]:
    """Return the local names of the states that a resource has, of all flags and these keywords."""
    names = [*(flag(local, "") for local in FLAGS), *(word(local, "") for local in keywords)]
    body = f'<D:propfind xmlns:D="DAV:"><D:prop>{"".join(names)}</D:prop></D:propfind>'
    found = dav("PROPFIND", path, body, Depth="0").props(f"{HOME}/{path}")
    assert all(element.text == "T" for element in found.values())
    return {name.rpartition("}")[2] for name in found}


def modseq(dav: Client, path: str) -> int:
    """Return the number of the last change of a resource."""
    href = f"{HOME}/{path}"
    return int(dav.find(path, f"{C}modseq").text(href, f"{C}modseq"))


def done(answer: Answer) -> None:
    """See that a PROPPATCH changed all."""
    assert answer.status == 207, answer
    assert [status.text for status in answer.xml.iter(f"{D}status")] == ["HTTP/1.1 200 OK"], answer


def refused(answer: Answer, href: str, status: int) -> set[str]:
    """Return the properties that were refused with a status, and see that the others failed with them."""
    assert answer.status == 207
    assert not answer.props(href)
    names = set(answer.props(href, status))
    if status == 403:
        assert answer.xml.find(f".//{D}error/{PROTECTED}") is not None
    return names


def test_the_same_change_is_judged_anew_for_each_resource(dav: Client) -> None:
    """The server keeps the question of a body, and no answer to it."""
    dav.put("a", b"hello")
    dav("MKCOL", "c")
    for _ in range(2):
        assert refused(dav.patch("c/", setting(flag("seen"))), f"{HOME}/c/", 403) == {f"{C}seen"}
        done(dav.patch("a", setting(flag("seen"))))
        assert marks(dav, "a") == {"seen"}
        assert refused(dav.patch("a", setting(flag("seen", "F"))), f"{HOME}/a", 409) == {f"{C}seen"}
        done(dav.patch("a", removing(flag("seen", ""))))
        assert marks(dav, "a") == set()


@pytest.mark.parametrize("local", FLAGS)
def test_a_flag_is_set_and_removed(dav: Client, local: str) -> None:
    etag = dav.put("a", b"hello")
    modified = dav("HEAD", "a").headers["Last-Modified"]
    assert marks(dav, "a") == set()
    seen = modseq(dav, "a")
    for instruction, expected in ((setting(flag(local)), {local}), (removing(flag(local, "")), set())):
        dav.now_us += 2_000_000
        answer = dav.patch("a", instruction)
        done(answer)
        assert set(answer.props(f"{HOME}/a")) == {C + local}
        assert marks(dav, "a") == expected
        assert modseq(dav, "a") > seen
        seen = modseq(dav, "a")
        head = dav("HEAD", "a").headers
        assert (head["ETag"], head["Last-Modified"]) == (etag, modified)


@pytest.mark.parametrize("value", ["", "F", "t", "true", "1", "T T", "TT", "&#160;T"])
@pytest.mark.parametrize("element", [flag, word])
def test_the_one_value_is_t(dav: Client, element: Any, value: str) -> None:
    dav.put("a")
    before = modseq(dav, "a")
    answer = dav.patch("a", setting(f"<x:p>1</x:p>{flag('draft')}{element('seen', value)}"), removing("<x:q/>"))
    refused_name = (C if element is flag else K) + "seen"
    assert refused(answer, f"{HOME}/a", 409) == {refused_name}
    assert set(answer.props(f"{HOME}/a", 424)) == {"{urn:x}p", "{urn:x}q", f"{C}draft"}
    assert marks(dav, "a", "seen") == set()
    assert modseq(dav, "a") == before
    done(dav.patch("a", setting(element("seen", "\n T\t"))))  # space around it means nothing
    assert marks(dav, "a", "seen") == {"seen"}


@pytest.mark.parametrize("path", ["c/", ""])
@pytest.mark.parametrize("element", [flag, word])
def test_a_collection_has_no_states(dav: Client, path: str, element: Any) -> None:
    dav.mkcol("c")
    name = (C if element is flag else K) + "seen"
    for instruction in (setting(element("seen")), removing(element("seen", ""))):
        answer = dav.patch(path, setting("<x:p>1</x:p>"), instruction)
        assert refused(answer, f"{HOME}/{path}", 403) == {name}
        assert set(answer.props(f"{HOME}/{path}", 424)) == {"{urn:x}p"}
    assert set(dav.find(path, name).props(f"{HOME}/{path}", 404)) == {name}
    assert name not in dav("PROPFIND", path, PROPNAME, Depth="0").props(f"{HOME}/{path}")
    body = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype>'
        f"{element('seen')}</D:prop></D:set></D:mkcol>"
    )
    assert dav("MKCOL", "d", body, Content_Type="application/xml").status == 403
    assert dav("GET", "d").status == 404


def test_a_fixed_collection_has_no_proppatch(dav: Client) -> None:
    answer = dav.patch("/dav/", setting(flag("seen")))
    assert (answer.status, "PROPPATCH" in answer.headers["Allow"]) == (405, False)


def test_of_two_words_for_one_state_the_last_counts(dav: Client) -> None:
    dav.put("a")
    done(dav.patch("a", setting(flag("seen") + word("x")), removing(flag("seen", "")), setting(flag("draft"))))
    assert marks(dav, "a", "x") == {"draft", "x"}
    done(dav.patch("a", removing(flag("seen", "") + word("x", "")), setting(flag("seen") + word("x"))))
    assert marks(dav, "a", "x") == {"seen", "draft", "x"}


def test_states_are_not_in_allprop_and_propname_names_those_that_are_set(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting(flag("seen") + word("Work") + word("grün") + "<x:p/>"))
    found = dav("PROPFIND", "a", Depth="0").props(f"{HOME}/a")
    assert not [name for name in found if name.startswith((C, K))]
    names = set(dav("PROPFIND", "a", PROPNAME, Depth="0").props(f"{HOME}/a"))
    assert {name for name in names if name.startswith(K) or name[len(C) :] in FLAGS} == {
        f"{C}seen",
        f"{K}Work",
        f"{K}grün",
    }
    include = (
        f'<D:propfind xmlns:D="DAV:"><D:allprop/><D:include>{flag("seen", "")}{flag("draft", "")}'
        f"{word('Work', '')}{word('none', '')}</D:include></D:propfind>"
    )
    answer = dav("PROPFIND", "a", include, Depth="0")
    assert {f"{C}seen", f"{K}Work"} <= answer.props(f"{HOME}/a").keys()
    assert set(answer.props(f"{HOME}/a", 404)) == {f"{C}draft", f"{K}none"}


def test_what_changes_nothing_is_no_change(dav: Client) -> None:
    """Neither the number nor the sync token moves, so no other device is told of it."""
    dav.put("a")
    dav.patch("a", setting(flag("seen") + word("x")))
    before, token = modseq(dav, "a"), token_of(dav.sync())
    done(dav.patch("a", setting(flag("seen") + word("x")), removing(flag("draft", "") + word("never", ""))))
    assert modseq(dav, "a") == before
    answer = dav.sync(token=token)
    assert (answer.hrefs(), token_of(answer)) == ([], token)


# Keywords


def test_keywords(dav: Client) -> None:
    """Names of XML have two cases: `Work` and `work` are two keywords."""
    dav.put("a")
    done(dav.patch("a", setting(word("work") + word("a.b-c_1") + word("日本"))))
    assert marks(dav, "a", "work", "Work", "a.b-c_1", "日本") == {"work", "a.b-c_1", "日本"}
    done(dav.patch("a", setting(word("Work")), removing(word("work", "") + word("日本", ""))))
    assert marks(dav, "a", "work", "Work", "a.b-c_1", "日本") == {"Work", "a.b-c_1"}


def test_keywords_have_bounds(dav: Client) -> None:
    dav.put("a")
    done(dav.patch("a", setting("".join(word(f"k{n}") for n in range(MOST_KEYWORDS)))))
    answer = dav.patch("a", setting("<x:p>1</x:p>" + word("k0") + word("more")), removing(flag("seen", "")))
    assert refused(answer, f"{HOME}/a", 422) == {f"{K}k0", f"{K}more"}
    assert set(answer.props(f"{HOME}/a", 424)) == {"{urn:x}p", f"{C}seen"}
    done(dav.patch("a", setting(word("more")), removing(word("k0", ""))))
    assert marks(dav, "a", "k0", "more") == {"more"}
    longest = "n" * (255 - len(K))
    done(dav.patch("a", setting(word(longest)), removing(word("k1", ""))))
    assert marks(dav, "a", longest) == {longest}
    assert dav.patch("a", setting(word(f"{longest}n"))).status == 400


@pytest.mark.parametrize("set_", [[], ["m1"], ["m0", "m2"], ["m0", "m1", "m2"]])
def test_a_listing_has_the_states_of_each(dav: Client, set_: list[str]) -> None:
    """A page in which nothing has a keyword is written by column, any other one by resource."""
    dav.mkcol("c", "c/d")
    for name in ("m0", "m1", "m2"):
        dav.put(f"c/{name}")
    for name in set_:
        dav.patch(f"c/{name}", setting(flag("seen") + (word("x") if name == "m2" else "")))
    answer = dav.find("c", f"{C}seen", f"{C}draft", f"{K}x", f"{C}kind", depth="1")
    for name in ("m0", "m1", "m2"):
        expected = {f"{C}kind"} | ({f"{C}seen"} if name in set_ else set())
        expected |= {f"{K}x"} if name in set_ and name == "m2" else set()
        assert set(answer.props(f"{HOME}/c/{name}")) == expected
        assert set(answer.props(f"{HOME}/c/{name}", 404)) == {f"{C}seen", f"{C}draft", f"{K}x", f"{C}kind"} - expected
    assert set(answer.props(f"{HOME}/c/d/", 404)) == {f"{C}seen", f"{C}draft", f"{K}x", f"{C}kind"}


# What states belong to


def test_states_belong_to_the_resource_and_not_to_its_bytes(dav: Client) -> None:
    """A copy starts anew, but for dead properties; another body or another name changes none."""
    dav.mkcol("c")
    dav.put("c/a")
    dav.patch("c/a", setting(flag("seen") + flag("flagged") + word("x") + "<x:p>1</x:p>"))
    for source, target in (("c/a", "b"), ("c", "d")):
        dav("COPY", source, Destination=f"{HOME}/{target}")
    for copy in ("b", "d/a"):
        assert marks(dav, copy, "x") == set()
        assert dav.find(copy, "{urn:x}p").text(f"{HOME}/{copy}", "{urn:x}p") == "1"
    dav.put("c/a", b"another")
    assert dav("MOVE", "c/a", Destination=f"{HOME}/c/e").status == 201
    assert dav("MOVE", "c", Destination=f"{HOME}/f").status == 201
    assert marks(dav, "f/e", "x") == {"seen", "flagged", "x"}
    assert dav("COPY", "b", Destination=f"{HOME}/f/e").status == 204
    assert marks(dav, "f/e", "x") == set()


def test_the_number_moves_with_body_states_and_properties_only(dav: Client) -> None:
    dav.put("a")
    last = modseq(dav, "a")
    for change in (
        lambda: dav.put("a", b"2"),
        lambda: dav.patch("a", setting(flag("seen"))),
        lambda: dav.patch("a", setting("<x:p/>")),
        lambda: dav.patch("a", setting(word("x"))),
        lambda: dav.patch("a", removing(word("x", ""))),
    ):
        change()
        assert modseq(dav, "a") > last
        last = modseq(dav, "a")
    token = dav("LOCK", "a", info()).headers["Lock-Token"]
    assert modseq(dav, "a") == last
    dav("UNLOCK", "a", Lock_Token=token)
    dav.mkcol("c")
    dav("MOVE", "a", Destination=f"{HOME}/c/b")
    dav("MOVE", "c", Destination=f"{HOME}/d")
    assert modseq(dav, "d/b") == last


@pytest.mark.parametrize("path", ["", "c/"])
def test_the_number_of_a_collection_moves_with_its_properties_only(dav: Client, path: str) -> None:
    """A root too, which is bound nowhere: of two changes each has a number of its own."""
    dav.mkcol("c")
    last = modseq(dav, path)
    dav.put("c/a")
    assert modseq(dav, path) == last
    for value in ("1", "2"):
        dav.patch(path, setting(f"<x:p>{value}</x:p>"))
        assert modseq(dav, path) > last
        assert dav("PROPFIND", path, Depth="0", If=f"({guard(last)})").status == 412
        last = modseq(dav, path)
    dav.put("c/b")
    assert modseq(dav, "c/b") > last


def test_a_locked_resource_keeps_its_states(dav: Client) -> None:
    dav.put("a")
    token = dav("LOCK", "a", info()).headers["Lock-Token"]
    for element in (flag("seen"), word("x")):
        assert dav.patch("a", setting(element)).status == 423
        done(dav.patch("a", setting(element), If=f"({token})"))
    assert marks(dav, "a", "x") == {"seen", "x"}


def test_states_cost_no_quota(dav: Client) -> None:
    dav.put("a")
    used = dav.find("", f"{D}quota-used-bytes").text(f"{HOME}/", f"{D}quota-used-bytes")
    done(dav.patch("a", setting(flag("seen") + word("x"))))
    assert dav.find("", f"{D}quota-used-bytes").text(f"{HOME}/", f"{D}quota-used-bytes") == used


# Answers


def say(dav: Client, path: str, **facts: str) -> None:
    """Store a message with these facts."""
    dav.put(path, path)

    def work(unit: Unit) -> None:
        found = bindings.find(unit, HOME_PATH._replace(names=tuple(unquote(path).split("/"))))
        assert found.place.resource is not None
        body_id = bodies.find_body_id(unit, found.facts.id, found.place.resource.node_id)
        assert body_id is not None
        messages.insert_message(unit, found.facts.id, body_id, MessageFacts(ResourceType.MESSAGE, **facts), now_us=NOW)

    dav.database.write(work)


@pytest.mark.parametrize("depth", ["0", "1", "infinity"])
def test_answers_are_told_by_their_hrefs(dav: Client, depth: str) -> None:
    dav.mkcol("c")
    say(dav, "c/first.eml", message_id="1@x")
    say(dav, "c/%C3%A4%20%26.eml", message_id="2@x", in_reply_to="1@x")
    say(dav, "second.eml", in_reply_to="1@x")
    dav.put("c/file")
    name, first = f"{C}answered-by", f"{HOME}/c/first.eml"
    answer = dav.find("c/first.eml" if depth == "0" else "c", name, f"{C}seen", depth=depth)
    hrefs = [element.text for element in answer.prop(first, name)]
    assert hrefs == [f"{HOME}/second.eml", f"{HOME}/c/%C3%A4%20&.eml"]  # of one date: by their collections
    assert set(hrefs) < set(dav("PROPFIND", "").hrefs())
    if depth != "0":
        assert name in answer.props(f"{HOME}/c/file", 404)
        assert name in answer.props(f"{HOME}/c/", 404)
    for instruction in (setting(flag("answered-by")), removing(flag("answered-by", ""))):
        assert refused(dav.patch("c/first.eml", instruction), first, 403) == {name}
    report = dav("REPORT", "c", sync_body(props='<C:answered-by xmlns:C="urn:davstore:cpm"/>'))
    assert len(report.prop(first, name)) == 2
    assert name in dav("PROPFIND", "c/first.eml", PROPNAME, Depth="0").props(first)


# Synchronisation


@pytest.mark.parametrize("level", ["1", "infinite"])
@pytest.mark.parametrize("instruction", [setting(flag("seen")), setting(word("x"))])
def test_a_state_is_told_by_the_next_report(dav: Client, level: str, instruction: str) -> None:
    dav.mkcol("c")
    etags = {name: dav.put(name) for name in ("c/a", "c/b")}
    token = token_of(dav.sync("c", level=level))
    done(dav.patch("c/a", instruction))
    answer = dav.sync("c", token, level=level)
    assert answer.hrefs() == [f"{HOME}/c/a"]
    assert answer.text(f"{HOME}/c/a", f"{D}getetag") == etags["c/a"]
    assert token_of(answer) != token
    assert dav.sync("c", token_of(answer), level=level).hrefs() == []


def test_a_report_has_states(dav: Client) -> None:
    dav.put("a")
    dav.put("b")
    done(dav.patch("a", setting(flag("seen") + word("x"))))
    done(dav.patch("b", setting(flag("flagged"))))
    asked = f"{flag('seen', '')}{flag('flagged', '')}"
    body = '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop>%s</D:prop>'
    for names in (asked, asked + word("x", "")):  # by column, and by resource
        answer = dav("REPORT", "", f"{body % names}</D:sync-collection>")
        keywords = {f"{K}x"} if names != asked else set()
        assert set(answer.props(f"{HOME}/a")) == {f"{C}seen"} | keywords
        assert set(answer.props(f"{HOME}/b")) == {f"{C}flagged"}


# If with the number


def guard(number: int | str) -> str:
    """Return the state token of a number."""
    return f"<urn:davstore:modseq:{number}>"


REQUESTS: dict[str, dict[str, str]] = {
    "GET": {},
    "HEAD": {},
    "PROPFIND": {"Depth": "0"},
    "PUT": {},
    "PROPPATCH": {},
    "COPY": {"Destination": f"{HOME}/new"},
    "MOVE": {"Destination": f"{HOME}/new"},
    "DELETE": {},
}


def ask(dav: Client, method: str, condition: str) -> int:
    """Send a request on condition and return its status."""
    if method == "PROPPATCH":
        return dav.patch("a", setting(flag("draft")), If=condition).status
    return dav(method, "a", b"x" if method == "PUT" else b"", If=condition, **REQUESTS[method]).status


@pytest.mark.parametrize("method", REQUESTS)
def test_a_number_guards_every_method(dav: Client, method: str) -> None:
    dav.put("a")
    stale = modseq(dav, "a")
    done(dav.patch("a", setting(flag("seen"))))
    now = modseq(dav, "a")
    assert ask(dav, method, f"({guard(stale)})") == 412
    assert ask(dav, method, f"(Not {guard(now)})") == 412
    assert marks(dav, "a") == {"seen"}
    assert ask(dav, method, f"({guard(now)})") in (200, 201, 204, 207)


def test_lists_with_numbers(dav: Client) -> None:
    """RFC 4918 §10.4: tagged and untagged lists, Not, with entity tags and lock tokens."""
    etag = dav.put("a")
    dav.put("b")
    dav.mkcol("c")
    lock = dav("LOCK", "b", info()).headers["Lock-Token"]
    a, b, c = modseq(dav, "a"), modseq(dav, "b"), modseq(dav, "c/") if dav.find("c/", f"{C}modseq") else 0
    assert a < b
    holding = [
        f"({guard(a)})",
        f"({guard(b)})",  # at most
        f"({guard(2**63 - 1)})",
        f"(Not {guard(a - 1)})",
        f"({guard(a)} [{etag}])",
        f"({guard(a - 1)}) ([{etag}] {guard(a)})",
        f"<{HOME}/b> ({guard(b)} {lock})",
        f"<{HOME}/b> (Not {guard(a)} {lock})",
        f"<{HOME}/c/> ({guard(c)})",
        f"<{HOME}/none> (Not {guard(2**63 - 1)})",
        f"<http://elsewhere.example/dav/store/alice/a> (Not {guard(2**63 - 1)})",
    ]
    for condition in holding:
        assert dav("GET", "a", If=condition).status == 200, condition
    failing = [
        f"({guard(a - 1)})",
        f"({guard(0)})",
        f"(Not {guard(a)})",
        f'({guard(a)} ["no"])',
        f"({guard(a)} Not [{etag}])",
        f"<{HOME}/b> ({guard(a)})",
        f"<{HOME}/none> ({guard(2**63 - 1)})",
        f"<http://elsewhere.example/dav/store/alice/a> ({guard(2**63 - 1)})",
        f"<{HOME}/c/> ({guard(c - 1)})",
        f"</dav/store/bob/> ({guard(2**63 - 1)})",
    ]
    for condition in failing:
        assert dav("GET", "a", If=condition).status == 412, condition


@pytest.mark.parametrize("number", ["", "x", "-1", "+9", "09", "9" * 19, "9" * 40, "9.0", "９", "9:9"])
def test_what_is_no_number_never_holds(dav: Client, number: str) -> None:
    dav.put("a")
    assert dav("GET", "a", If=f"({guard(number)})").status == 412
    assert dav("GET", "a", If=f"(Not {guard(number)})").status == 200


def test_a_number_does_not_stand_for_a_lock(dav: Client) -> None:
    dav.put("a")
    dav("LOCK", "a", info())
    assert dav.patch("a", setting(flag("seen")), If=f"({guard(modseq(dav, 'a'))})").status == 423


# Two devices

words = st.lists(st.tuples(st.sampled_from(FLAGS), st.booleans()), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(st.sampled_from(FLAGS)), words, words, st.randoms(use_true_random=False))
def test_changes_of_different_flags_commute(
    dav: Client, own: set[str], one: list[tuple[str, bool]], other: list[tuple[str, bool]], random: Any
) -> None:
    """However the requests of two devices come in, each flag is as the device that changes it said last."""
    phone = [(local, to) for local, to in one if local in own]
    tablet = [(local, to) for local, to in other if local not in own]
    dav.put("a")
    dav.patch("a", removing("".join(flag(local, "") for local in FLAGS)))
    for principal, (local, to) in interleaved(phone, tablet, random):
        dav.principal = principal
        done(dav.patch("a", setting(flag(local)) if to else removing(flag(local, ""))))
    expected = {local for said in (phone, tablet) for local, to in dict(said).items() if to}
    assert marks(dav, "a") == expected


def interleaved(phone: list[Any], tablet: list[Any], random: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the words of two devices in some order that keeps that of each."""
    left = {PHONE: list(phone), PHONE._replace(device=PHONE.device._replace(name="tablet")): list(tablet)}
    while waiting := [principal for principal, said in left.items() if said]:
        principal = random.choice(waiting)
        yield principal, left[principal].pop(0)


def test_the_number_of_what_was_replaced_holds_for_nothing_else(dav: Client) -> None:
    """A resource that is moved over another is older than it: `If` with the other's number would let a change pass."""
    dav.put("old")
    dav.put("a")
    number = dav.find("a", f"{C}modseq").props(f"{HOME}/a")[f"{C}modseq"].text
    assert dav("MOVE", "old", Destination=f"{HOME}/a").status == 204
    assert dav("PUT", "a", "lost?", If=f"(<urn:davstore:modseq:{number}>)").status == 412


def test_a_declared_message_of_one_field_is_a_message(dav: Client) -> None:
    dav("PUT", "m", b"Subject: only\r\n\r\nbody", Content_Type="message/rfc822")
    found = dav.find("m", f"{C}kind", f"{C}subject").props(f"{HOME}/m")
    assert (found[f"{C}kind"].text, found[f"{C}subject"].text) == ("message", "only")
