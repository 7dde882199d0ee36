"""Session histories, members that the server names, and sets of members in one request or answer."""

from __future__ import annotations

from tests.golden.bodies import prop
from tests.golden.talk import Talk
from tests.messages import group_state, session_info

SESSION = "<D:collection/><C:session-history/>"


def sessions(t: Talk) -> None:
    """RFC 5689 §3 and §3.3; one session info, and the group state that counts."""
    for path, types in (("s/", SESSION), ("s/", SESSION), ("thread/", "<D:collection/><C:thread/>"), ("x/s/", SESSION)):
        body = (
            '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop>'
            f"<D:resourcetype>{types}</D:resourcetype></D:prop></D:set></D:mkcol>"
        )
        t.ask("MKCOL", path, {"Content-Type": "application/xml"}, body)
    info = session_info("contribution").decode()
    for path in ("s/info.eml", "s/info.eml", "s/second.eml", "outside.eml"):
        t.ask("PUT", path, {}, info)
    for method in ("COPY", "MOVE"):
        t.ask(method, "outside.eml", {"Destination": f"{t.home}s/second.eml"})
    for number in (2, 1):
        t.ask("PUT", f"s/{number}.xml", {}, group_state(f"2012-06-1{number}T00:00:00Z").decode())
    names = ("D:resourcetype", "C:kind", "C:current-group-state")
    t.ask("PROPFIND", "", {"Depth": "1"}, prop(*names))
    t.ask("PROPFIND", "s/", {"Depth": "0"}, prop(*names, "D:add-member"))


def adding(t: Talk) -> None:
    """RFC 5995 §3, RFC 5023 §9.7."""
    t.ask("MKCOL", "c/")
    for fields in (
        {"Slug": "The Beach at S%C3%A8te", "Content-Type": "image/jpeg"},
        {"Slug": "The Beach at S%C3%A8te", "Content-Type": "image/jpeg"},
        {"Slug": "../%2e%2e/etc/passwd%00"},
        {"Content-Type": "message/cpim"},
        {},
        {"If-None-Match": "*", "Prefer": "return=representation", "X-OC-Mtime": "1000000000"},
        {"If-Match": "*"},
        {"Content-Range": "bytes 0-0/1"},
        {"Content-Encoding": "gzip"},
        {"Repr-Digest": f"sha-256=:{'A' * 43}=:"},
    ):
        t.ask("POST", "c/?add", fields, "body")
    for method in ("OPTIONS", "GET", "PUT", "DELETE", "PROPFIND", "SEARCH"):
        t.ask(method, "c/?add")
    for path in ("c?add", "c/?add=x", "missing/?add", "c/passwd?add", "?add"):
        t.ask("POST", path, {"Slug": "name"}, "body")
    t.ask("GET", "c/", {"Accept": "text/plain"})


def sets(t: Talk) -> None:
    """RFC 2046 §5.1, RFC 7240 §4.4; RFC 2387 on the way back."""
    info = session_info("contribution").decode()
    parts = (
        ("Content-Location: s/info.eml\nContent-ID: <1@phone>", info),
        ("Content-Location: s/1.cpim\nContent-Type: message/cpim\nContent-ID: <2@phone>", "message"),
        ("Slug: photo\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64", "YWJj"),
        ("Content-Location: s/second.eml\nContent-ID: <4@phone>", info),
        ("Content-Location: ../x\nContent-ID: <5@phone>", "outside"),
        (f"Content-Location: digest\nRepr-Digest: sha-256=:{'A' * 43}=:", "wrong"),
        ("Content-Location: s/1.cpim\nIf-None-Match: *\nContent-ID: <7@phone>", "twice"),
    )
    whole = "".join([f"--b\n{head}\n\n{content}\n" for head, content in parts]).replace("\r\n", "\n")
    type_ = {"Content-Type": "multipart/related; boundary=b"}
    for end in ("", "--b", "--b\n\n"):
        t.ask("POST", "?add", type_, whole + end)
    t.ask("POST", "?add", {"Content-Type": "multipart/mixed"}, whole + "--b--")
    t.ask("POST", "?add", {**type_, "Prefer": "handling=strict"}, whole + "--b--")
    t.ask("GET", "", {"Accept": "text/plain"})
    t.ask("POST", "?add", type_, whole + "--b--")
    t.ask("GET", "", {"Accept": "text/plain"})
    for accept in ("multipart/related", "multipart/related, text/html;q=0.5", "text/plain, application/zip;q=0.5"):
        t.ask("GET", "s/", {"Accept": accept})
    t.ask("HEAD", "", {"Accept": "application/zip"})
