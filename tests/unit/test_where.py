"""Conditions of RFC 5323 §5: their truth tables, comparisons and patterns, and the grammar that is read."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from davstore.errors import UnsupportedFilter
from davstore.model.nodes import Resource
from davstore.model.states import Flag
from davstore.model.views import View, hash_of
from davstore.model.where import And, Compare, Comparison, Fact, Form, IsDefined, Like, Not, Or, Source, Where
from davstore.policy.where import Judged, judge_of
from davstore.protocol.dav.where import parse

SECOND = 1_000_000
MAIL = Resource(("a",), "m", 1, 0, 1, "r", "e", 1_234, "message/rfc822", 0, 0, 0, 2, Flag.SEEN | Flag.FLAGGED, 7)
JUDGED = Judged(
    MAIL,
    "message",
    {"subject": "Grüße, 100% sure", "date_us": 1_000 * SECOND, "from_": "Bob <bob@x.example>", "to": None},
    ("Work",),
)
TRUE, FALSE = "<D:is-defined><D:prop><C:seen/></D:prop></D:is-defined>", "<D:is-collection/>"
UNKNOWN = "<D:eq><D:prop><C:to/></D:prop><D:literal>x</D:literal></D:eq>"


def where(content: str) -> Where:
    """Return the condition of an element of the namespaces that answers use."""
    spaces = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm" xmlns:K="urn:davstore:cpm:keyword"'
    return parse(etree.fromstring(f"<D:where {spaces}>{content}</D:where>"))


def judge(content: str) -> bool | None:
    """Return the truth of a condition on the mail."""
    return judge_of(where(content))(JUDGED)


@pytest.mark.parametrize("a", [True, False, None])
@pytest.mark.parametrize("b", [True, False, None])
def test_the_truth_tables(a: bool | None, b: bool | None) -> None:
    """RFC 5323 §5.5.1, after SQL-92: unknown is neither true nor false, and its negation is unknown."""
    word = {True: TRUE, False: FALSE, None: UNKNOWN}
    both = {frozenset({True}): True, frozenset({True, None}): None, frozenset({None}): None}
    either = {frozenset({False}): False, frozenset({False, None}): None, frozenset({None}): None}
    pair = frozenset({a, b})
    assert judge(f"<D:and>{word[a]}{word[b]}</D:and>") is (False if False in pair else both[pair])
    assert judge(f"<D:or>{word[a]}{word[b]}</D:or>") is (True if True in pair else either[pair])
    assert judge(f"<D:not>{word[a]}</D:not>") is {True: False, False: True, None: None}[a]


def compare(name: str, operator: str, literal: str, more: str = "") -> str:
    return f"<D:{operator}{more}><D:prop><{name}/></D:prop><D:literal>{literal}</D:literal></D:{operator}>"


@pytest.mark.parametrize(
    ("content", "truth"),
    [
        (compare("C:kind", "eq", "message"), True),
        (compare("C:kind", "eq", "media"), False),
        (compare("C:seen", "eq", "T"), True),
        (compare("C:answered", "eq", "T"), None),
        ("<D:not>" + compare("C:answered", "eq", "T") + "</D:not>", None),
        ("<D:not><D:is-defined><D:prop><C:answered/></D:prop></D:is-defined></D:not>", True),
        (compare("K:Work", "eq", "T"), True),
        (compare("K:work", "eq", "T"), None),
        (compare("D:getcontentlength", "gt", "9"), True),  # as numbers: "1234" is less than "9"
        (compare("D:getcontentlength", "lt", "9"), False),
        (compare("D:getcontentlength", "eq", " 1234\n"), True),
        (compare("D:getcontentlength", "lte", "1234"), True),
        (compare("D:getcontentlength", "gte", "1235"), False),
        (compare("C:modseq", "lt", "8"), True),
        (compare("C:date", "eq", "1970-01-01T00:16:40Z"), True),
        (compare("C:date", "eq", "1970-01-01T01:16:40+01:00"), True),  # as instants
        (compare("C:date", "lt", "1970-01-01T00:16:40.5Z"), True),
        (compare("C:date", "gte", "Thu, 01 Jan 1970 00:16:41 GMT"), False),
        (compare("D:creationdate", "lte", "1970-01-01T00:00:00Z"), True),
        (compare("C:subject", "eq", "Grüße, 100% sure"), True),
        (compare("C:subject", "eq", "GRÜSSE, 100% SURE"), False),
        (compare("C:subject", "eq", "GRÜSSE, 100% SURE", ' caseless="yes"'), True),
        (compare("C:subject", "eq", "grüße", ' caseless="no"'), False),
        (compare("C:to", "eq", ""), None),
        (compare("C:size", "gt", "0"), None),
        (compare("C:from", "like", "%bob@x.example%"), True),
        (compare("C:from", "like", "bob@%"), False),
        (compare("C:from", "like", "%BOB@%", ' caseless="yes"'), True),
        (compare("C:from", "like", "Bo_ &lt;%"), True),
        (compare("C:subject", "like", "%100\\%%"), True),
        (compare("C:subject", "like", "%100_ s%"), True),
        (compare("C:subject", "like", "%100\\_ s%"), False),
        (compare("C:subject", "like", "%(.*)%"), False),
        (compare("C:to", "like", "%"), None),
        ("<D:gt><D:prop><D:getcontentlength/></D:prop><D:typed-literal>1</D:typed-literal></D:gt>", True),
    ],
)
def test_conditions(content: str, truth: bool | None) -> None:
    assert judge(content) is truth


@pytest.mark.parametrize(
    "content",
    [
        "",
        TRUE + TRUE,
        "<D:contains>x</D:contains>",
        "<D:language-defined><D:prop><C:subject/></D:prop></D:language-defined>",
        "<D:near/>",
        "<C:eq/>",
        "<D:and/>",
        "<D:not/>",
        f"<D:not>{TRUE}{TRUE}</D:not>",
        "<D:is-collection><D:x/></D:is-collection>",
        "<D:is-defined/>",
        "<D:is-defined><D:prop/></D:is-defined>",
        "<D:is-defined><D:prop><C:seen/><C:flagged/></D:prop></D:is-defined>",
        "<D:is-defined><D:prop><C:nothing/></D:prop></D:is-defined>",
        "<D:is-defined><D:prop><D:displayname/></D:prop></D:is-defined>",
        "<D:is-defined><D:prop><seen xmlns='urn:x'/></D:prop></D:is-defined>",
        "<D:eq><D:prop><C:seen/></D:prop></D:eq>",
        "<D:eq><D:literal>T</D:literal><D:prop><C:seen/></D:prop></D:eq>",
        "<D:eq><D:prop><C:seen/></D:prop><D:literal>T</D:literal><D:literal>T</D:literal></D:eq>",
        "<D:eq><D:prop><C:seen/></D:prop><D:literal><D:x/></D:literal></D:eq>",
        compare("C:seen", "eq", "T", ' caseless="maybe"'),
        compare("D:getcontentlength", "gt", "many"),
        compare("D:getcontentlength", "gt", "1.5"),
        compare("D:getcontentlength", "gt", "9" * 19),
        compare("D:getcontentlength", "like", "1%"),
        compare("C:date", "gt", "yesterday"),
        compare("C:date", "gt", "2026-13-01T00:00:00Z"),
        compare("C:subject", "like", "x\\"),
        compare("C:subject", "eq", "x" * 4_097),
        compare("C:subject", "like", "_" * 257),
        "<D:not>" * 16 + TRUE + "</D:not>" * 16,
        "<D:or>" + TRUE * 400 + "</D:or>",
    ],
)
def test_what_is_not_known_is_refused(content: str) -> None:
    with pytest.raises(UnsupportedFilter):
        where(content)


def test_what_just_may_be() -> None:
    where("<D:not>" * 15 + TRUE + "</D:not>" * 15)
    where("<D:or>" + TRUE * 256 + "</D:or>")
    where(compare("C:subject", "eq", "x" * 4_096))
    where(compare("C:subject", "like", "_" * 256))


facts = st.sampled_from(
    [Fact(Source.KIND, "kind"), Fact(Source.FLAG, "1"), Fact(Source.FLAG, "2"), Fact(Source.MESSAGE, "to")]
)
conditions: st.SearchStrategy[Where] = st.recursive(
    st.builds(IsDefined, facts)
    | st.builds(Compare, st.sampled_from(Comparison), facts, st.sampled_from(["T", "message"])),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@given(conditions)
def test_the_laws_of_de_morgan(condition: Where) -> None:
    def opposite(one: Where) -> Where:
        match one:
            case And(several):
                return Or(tuple([opposite(inner) for inner in several]))
            case Or(several):
                return And(tuple([opposite(inner) for inner in several]))
            case Not(inner):
                return inner
        return Not(one)

    assert judge_of(opposite(condition))(JUDGED) is judge_of(Not(condition))(JUDGED)


@given(st.lists(conditions, min_size=2, max_size=2, unique_by=repr))
def test_conditions_that_differ_have_other_hashes(pair: list[Where]) -> None:
    one, other = pair
    assert hash_of(View(one)) != hash_of(View(other))


def test_a_number_and_its_digits_are_no_text() -> None:
    number, text = Fact(Source.RESOURCE, "length", Form.NUMBER), Fact(Source.RESOURCE, "length")
    assert hash_of(View(Compare(Comparison.EQ, number, 1))) != hash_of(View(Compare(Comparison.EQ, text, "1")))


def test_conditions_of_the_same_parts_are_not_equal() -> None:
    """They are keys of caches."""
    fact = Fact(Source.KIND, "kind")
    assert len({And((IsDefined(fact),)), Or((IsDefined(fact),)), Not(IsDefined(fact)), IsDefined(fact)}) == 4


def matches(pattern: str, value: str) -> bool:
    """Match a pattern of `%` and `_` by trying all ways."""

    @cache
    def rest(at: int, to: int) -> bool:
        if at == len(pattern):
            return to == len(value)
        if pattern[at] == "%":
            return any(rest(at + 1, end) for end in range(to, len(value) + 1))
        return to < len(value) and pattern[at] in ("_", value[to]) and rest(at + 1, to + 1)

    return rest(0, 0)


@given(st.text("ab%_.", max_size=6), st.text("ab.", max_size=6))
def test_a_pattern_matches_what_trying_finds(pattern: str, value: str) -> None:
    judged = JUDGED._replace(message={"subject": value})
    assert judge_of(Like(Fact(Source.MESSAGE, "subject"), pattern))(judged) is matches(pattern, value)


def test_the_longest_pattern_on_the_longest_text_takes_a_moment() -> None:
    judged = JUDGED._replace(message={"subject": "a" * 65_536})
    assert judge_of(Like(Fact(Source.MESSAGE, "subject"), "%a" * 2_000 + "b"))(judged) is False
