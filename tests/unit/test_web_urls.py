"""URLs of documents elsewhere: which there are, where a redirect leads, and what of them is shown."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.model.web_urls import WebUrl


@pytest.mark.parametrize(
    ("text", "origin", "authority", "target"),
    [
        ("https://policy.example", "https://policy.example:443", "policy.example", "/"),
        ("https://Policy.Example:8443/a/b?c=d", "https://policy.example:8443", "policy.example:8443", "/a/b?c=d"),
        ("https://10.0.0.1/rules.toml", "https://10.0.0.1:443", "10.0.0.1", "/rules.toml"),
        ("https://[2001:db8::1]:444/", "https://[2001:db8::1]:444", "[2001:db8::1]:444", "/"),
        ("http://127.0.0.1:80/r", "http://127.0.0.1:80", "127.0.0.1", "/r"),
        ("http://localhost:8000/r", "http://localhost:8000", "localhost:8000", "/r"),
        ("http://[::1]/r", "http://[::1]:80", "[::1]", "/r"),
        ("https://policy.example/" + "a" * 2_025, "https://policy.example:443", "policy.example", "/" + "a" * 2_025),
    ],
)
def test_a_url_is_taken_apart(text: str, origin: str, authority: str, target: str) -> None:
    url = WebUrl.parse(text)
    assert (url.origin, url.authority, url.target, url.user) == (origin, authority, target, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "policy.toml",
        "//other.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://policy.example/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example/",
        "http://localhost@policy.example/",
        "http://policy.example\\@localhost/",
        "https:///rules",
        "https://policy.example:0/",
        "https://policy.example:65536/",
        "https://policy.example:x/",
        "https://[::1/",
        "https://a b/",
        "https://policy.example/\n",
        "https://policy.example/é",
        "https://policy.example/#a",
        "https://policy%2eexample/",
        "https://policy.example/" + "a" * 2_026,
    ],
)
def test_what_is_no_url_of_ours_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        WebUrl.parse(text)
    assert not text or text not in str(caught.value)


def test_secrets_are_read_and_not_shown() -> None:
    url = WebUrl.parse("https://me:geh%3Aeim@policy.example/rules?token=geheim")
    assert (url.user, url.password, url.target) == ("me", "geh:eim", "/rules?token=geheim")
    assert url.shown == "https://policy.example/rules"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other", "https://policy.example:443/other"),
        ("other?x=1", "https://policy.example:443/a/other?x=1"),
        ("//cdn.example/r", "https://cdn.example:443/r"),
        ("https://cdn.example/r#there", "https://cdn.example:443/r"),
        ("", "https://policy.example:443/a/b?c=d"),
    ],
)
def test_a_redirect_leads_where_its_reference_says(location: str, target: str) -> None:
    url = WebUrl.parse("https://me:secret@policy.example/a/b?c=d").join(location)
    assert (f"{url.origin}{url.target}", url.user) == (target, None)


@pytest.mark.parametrize("location", ["http://policy.example/r", "file:///etc/passwd", "https://a b/", "https://[/"])
def test_a_redirect_to_what_is_no_url_of_ours_is_refused(location: str) -> None:
    with pytest.raises(ValueError):
        WebUrl.parse("https://policy.example/").join(location)


@given(st.lists(st.sampled_from([*"htps:/@?#[]%.\\ 0a", "https://", "http://localhost", "[::1]", "é"])).map("".join))
def test_any_text_is_refused_or_means_one_place_however_it_is_written(text: str) -> None:
    with contextlib.suppress(ValueError):
        url = WebUrl.parse(text)
        again = WebUrl.parse(f"{url.origin}{url.target}")
        assert again == url._replace(user=None, password="")
        assert url.join(text)[:4] == url[:4]
