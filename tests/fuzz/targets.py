"""The targets of fuzzing: every parser of what a client sends, and what must hold of it for any bytes at all.

A target takes bytes and returns. It raises when a parser ends in anything but a value or an error that has an answer
of its own, or when a value does not survive being written and read again.
"""

from __future__ import annotations

import atexit
import io
import itertools
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from davstore.errors import DavstoreError
from davstore.middleware.errors import is_failure
from davstore.model.acl import Kept
from davstore.model.dispositions import MOST_CHARACTERS
from davstore.model.messages import MOST_DEPTH, MOST_FACT_CHARACTERS, MOST_PARTS, PREVIEW_CHARACTERS, MessageFacts, Part
from davstore.model.rules import DEVICE
from davstore.policy.preferences import parse_json, to_json
from davstore.protocol.dav import (
    acl,
    history,
    hrefs,
    if_header,
    lockinfo,
    mkcol,
    multistatus,
    names,
    operations,
    principal_reports,
    propfind,
    proppatch,
    reports,
    sync_token,
    xml,
)
from davstore.protocol.dav import preferences as sync_preferences
from davstore.protocol.dav.elements import ROOT_NAMESPACES, element, empty, escape
from davstore.protocol.http import (
    authorization,
    dates,
    headers,
    integrity,
    multipart,
    owncloud,
    prefer,
    ranges,
    sync_context,
)
from davstore.protocol.http.slug import parse_slug
from davstore.protocol.message import cpim, file_transfer, group_state, imdn, session
from davstore.protocol.message import dates as mail_dates
from davstore.protocol.message.parameters import parse_parameters, text_parameter
from davstore.protocol.message.reading import MessageReader, find_entity, find_notification, read_message
from davstore.protocol.message.transfer import decode
from davstore.protocol.message.words import decode_field
from davstore.server.bodies import ChunkedBody
from davstore.server.request_head import BadHead, is_hopeless, parse_head
from tests import cpm_bodies
from tests.dav.client import HOME, MESSAGE, Client

HOST: Final = "dav.example"
LENGTH: Final = 1_000
"""Of the resource that ranges are asked of, in bytes."""
BOUNDED: Final = "multipart/mixed; boundary=b"
YEAR_10000: Final = 253_402_300_800
"""No date can tell it, and a leap second leads there."""


class Target(NamedTuple):
    """A parser, requests that it understands or nearly does, and words that make others of them."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


def text_of(data: bytes) -> str:
    """Return header text as WSGI has it."""
    return data.decode("latin-1")


def request_target(data: bytes) -> None:
    target = hrefs.parse_target(text_of(data))
    names_only(target)
    href = hrefs.render_href(target.segments, slash=target.slash)
    assert hrefs.parse_target(href)[:2] == target[:2]
    assert hrefs.for_xml(href) == escape(href)
    own = hrefs.Spelling(target).href(target.segments, slash=target.slash)  # as it was sent, and a legal path
    assert hrefs.parse_target(own)[:2] == target[:2]
    assert hrefs.for_xml(own) == escape(own)


def names_only(target: hrefs.Target) -> None:
    """No segment leads anywhere but down."""
    for name in target.segments:
        assert name not in ("", ".", "..")
        assert not {*map(chr, range(32)), "/", "\x7f"} & set(name)


def destination(data: bytes) -> None:
    target = hrefs.parse_destination(text_of(data), host=HOST)
    names_only(target)
    href = hrefs.render_href(target.segments, slash=target.slash)
    assert hrefs.parse_destination(f"http://{HOST}{href}", host=HOST)[:2] == target[:2]


def host(data: bytes) -> None:
    hrefs.parse_destination("http://dav.example/a", host=text_of(data))


def if_lists(data: bytes) -> None:
    lists = if_header.parse(text_of(data))
    assert lists
    for tag, conditions in lists:
        assert tag != ""
        assert conditions
        assert all(one.token is None or one.etag is None for one in conditions)


def byte_ranges(data: bytes) -> None:
    found = ranges.parse_ranges(text_of(data), length=LENGTH)
    if found is not None:
        assert 0 < len(found) <= ranges.MAX_RANGES
        places = sorted(found)
        assert all(0 <= one.start < one.stop <= LENGTH for one in places)
        assert all(one.stop < other.start for one, other in itertools.pairwise(places))


def if_range(data: bytes) -> None:
    assert ranges.range_applies(text_of(data), etag="x") == (data.strip(b" \t") == b'"x"')


def credentials(data: bytes) -> None:
    found = authorization.parse_authorization(text_of(data))
    if isinstance(found, authorization.Basic):
        assert ":" not in found.user
        assert repr(found) == f"Basic(user={found.user!r})"  # no word of the password
    else:
        assert found.token.isascii()


def preferences(data: bytes) -> None:
    for name, value in prefer.parse_prefer(text_of(data)).applied():
        assert "\n" not in name + value


def digest(data: bytes) -> None:
    found = integrity.parse_digests(text_of(data))
    if "sha256" in found:
        assert integrity.parse_digests(integrity.render_digest(found["sha256"])) == {"sha256": found["sha256"]}


def wanted_digest(data: bytes) -> None:
    assert integrity.wants_digest(text_of(data)) in (True, False)


def http_date(data: bytes) -> None:
    seconds = dates.parse_http_date(text_of(data))
    if seconds is not None and seconds < YEAR_10000:
        assert dates.parse_http_date(dates.render_http_date(seconds)) == seconds


def small_headers(data: bytes) -> None:
    """Give one value to each of the headers that are a word or a number."""
    value = text_of(data)
    for parse in (
        lambda text: headers.parse_depth(text, default=0),
        headers.parse_overwrite,
        headers.parse_content_length,
        headers.parse_etags,
        lockinfo.parse_timeout,
        lockinfo.parse_lock_token,
        owncloud.parse_mtime,
        owncloud.parse_checksum,
    ):
        answered(lambda _, parse=parse: parse(value), b"")  # type: ignore[misc]


def context_header(data: bytes) -> None:
    found = sync_context.parse(text_of(data))
    assert found.mode in ("automatic", "manual")


def token(data: bytes) -> None:
    text = text_of(data)
    assert sync_token.render(sync_token.parse(text)) == text


def property_names(found: tuple[str, ...]) -> None:
    """Names go into answers as elements of their own."""
    for name in found:
        assert xml_of(empty(name)).tag == name


def property_values(found: dict[str, bytes]) -> None:
    for name, value in found.items():
        assert xml_of(value).tag == name
        assert len(value) <= 65_536


def xml_of(element: bytes) -> Any:
    """Return what a client finds of an element in an answer."""
    answer = bytearray()
    written = multistatus.Multistatus(answer.extend)
    written.response(b"/", element)
    written.close()
    root: Any = xml.parse(bytes(answer))
    (found,) = root.find(".//{DAV:}prop")
    return found


def propfind_body(data: bytes) -> None:
    question = propfind.parse(data)
    property_names(question.names + question.include)


def proppatch_body(data: bytes) -> None:
    changes = proppatch.parse(data)
    property_names(tuple(name for name, _ in changes))
    property_values({name: value for name, value in changes if value is not None})


def mkcol_body(data: bytes) -> None:
    wanted = mkcol.parse(data)
    if wanted is not None:
        assert names.COLLECTION in wanted.types
        property_values(wanted.properties)


def lock_body(data: bytes) -> None:
    wanted = lockinfo.parse(data)
    if wanted is not None and wanted.owner is not None:
        assert xml_of(wanted.owner).tag == names.OWNER


def operation_body(data: bytes) -> None:
    operation = operations.parse(data)
    hrefs_, condition = operation.chosen
    assert (condition is None) == bool(hrefs_)
    assert all(hrefs_)
    assert len(hrefs_) <= operations.MOST_HREFS
    if isinstance(operation, operations.BulkUpdate):
        assert operation.changes
        property_values({name: value for name, value in operation.changes if value is not None})


def report_body(data: bytes) -> None:
    query = reports.parse(data, 0)
    if isinstance(query, reports.ExpandQuery):
        expanded(query.properties, reports.MAX_LEVELS)
        return
    if isinstance(query, reports.ExplainQuery | reports.SearchableQuery | reports.AccessQuery):
        return
    property_names(query.names or ())
    if isinstance(query, reports.SearchQuery):
        assert 0 < len(query.searches) <= principal_reports.MOST_SEARCHES
        assert all(one.properties for one in query.searches)
        return
    if isinstance(query, reports.MatchQuery | reports.PrincipalsQuery | reports.ResolveQuery):
        return
    if isinstance(query, reports.MultigetQuery):
        assert 0 < len(query.hrefs) <= operations.MOST_HREFS
        return
    assert query.limit is None or query.limit > 0
    if isinstance(query, reports.HistoryQuery):
        assert query.content is None or 0 <= query.content.most_bytes <= reports.MAX_CONTENT_BYTES
        earlier = query.before and xml_of(history.render_before(query.before))
        assert earlier is None or earlier.tag == names.BEFORE
        return
    answered(lambda _: sync_token.parse(query.token), b"")


def preference(data: bytes) -> None:
    """A preference says the same as XML and as it is kept."""

    def names_in(href: str) -> tuple[str, ...]:
        return hrefs.parse_target(href).segments

    def href_of(segments: tuple[str, ...]) -> bytes:
        return element(f"{{{names.DAV}}}href", hrefs.for_xml(hrefs.render_href(segments, slash=True)))

    found = sync_preferences.parse(data, DEVICE, names_in)
    if found is not None:
        assert parse_json(to_json(found), DEVICE) == found
        told = sync_preferences.render(found, href_of).replace(b">", ROOT_NAMESPACES + b">", 1)
        if len(told) <= sync_preferences.MAX_BYTES:  # bearers and kinds may have stood there without a prefix
            assert sync_preferences.parse(told, DEVICE, names_in) == found


def acl_body(data: bytes) -> None:
    """The entries that a client sends are those that it reads, and no more rights."""
    asked = acl.parse(data)
    assert len(asked) <= acl.MOST_ACES
    assert sorted(asked, key=lambda one: not one.denies) == asked
    plain = [one._replace(who="/") if isinstance(one.who, str) else one for one in asked]
    told = acl.render_acl([acl.ShownAce(*(None if value is Kept.KEPT else value for value in one)) for one in plain])
    again = acl.parse(told.replace(b"<D:acl", b"<D:acl" + ROOT_NAMESPACES, 1))
    assert [one[:3] for one in again] == [one[:3] for one in plain]


def expanded(found: tuple[reports.Asked, ...], levels: int) -> None:
    """Properties within properties end somewhere."""
    assert not found or levels
    property_names(tuple(one.name for one in found))
    for one in found:
        expanded(one.nested, levels - 1)


def chunked_body(data: bytes) -> None:
    source = io.BytesIO(data)
    read = ChunkedBody(source, lambda: None).read()
    assert len(read) + 5 <= source.tell()  # the last chunk is five bytes or more, and was read


def multipart_body(data: bytes) -> None:
    """Take a body apart in one block and in several."""
    whole = [(part.fields, b"".join(part.content)) for part in multipart.each_part(io.BytesIO(data), BOUNDED)]
    small = multipart.each_part(Trickle(io.BytesIO(data)), BOUNDED)
    assert [(part.fields, b"".join(part.content)) for part in small] == whole
    assert sum(len(content) for _, content in whole) < len(data)


class Trickle(NamedTuple):
    """A body that comes in pieces of a few bytes."""

    source: io.BytesIO

    def read(self, _size: int, /) -> bytes:
        return self.source.read(3)


def slug(data: bytes) -> None:
    name = parse_slug(text_of(data))
    assert len(name.encode()) <= 255
    assert "/" not in name
    assert name not in (".", "..")
    assert not name or name.isprintable() or any(one in name for one in "\u200c\u200d")


def request_head(data: bytes) -> None:
    """A complete head is read or refused, and its beginning was never called hopeless; its framing has one reading."""
    block, _, _ = data.partition(b"\r\n\r\n")
    try:
        head = parse_head(block, 32_768)
    except BadHead:
        return
    assert all(is_hopeless(block[:size], 32_768) is None for size in range(0, len(block), 7))
    assert head.target.startswith("/") or (head.method, head.target) == ("OPTIONS", "*")
    assert not {*"\r\n\0"} & set("".join((head.method, head.target, *head.fields, *head.fields.values())))
    assert not (head.chunked and ("CONTENT_LENGTH" in head.fields or head.length_bytes))
    assert head.length_bytes == int(head.fields.get("CONTENT_LENGTH", "0"))
    assert "HTTP_CONTENT_LENGTH" not in head.fields


def cpim_head(data: bytes) -> None:
    """Read a bare CPIM, and one behind an outer block."""
    for outer in (b"", b"Content-Type: message/cpim\n\n"):
        found = cpim.find_cpim(outer + data, len(outer))
        if found is not None:
            assert len(outer) < found.inner_start <= len(outer + data)
            facts_only(found.fields)


def imdn_body(data: bytes) -> None:
    imdn.is_imdn(data)
    facts_only(imdn.read_imdn(data))
    for content in (data, b"Content-Type: message/imdn+xml\n\n" + data):
        told = find_notification(content)
        if told is not None:
            assert 0 < len(told.imdn_id) <= MOST_CHARACTERS
            assert 0 < len(told.recipient) <= MOST_CHARACTERS
            assert 0 < len(told.states) == len({type_ for type_, _ in told.states})
            assert told.at_us is None or abs(told.at_us) < 2**63


def store_objects(data: bytes) -> None:
    """Read a session info, a group state and a file transfer."""
    for read in (session.read_session, group_state.read_group_state, file_transfer.read_file_transfer):
        facts_only(read(data))
    assert not (group_state.is_group_state(data) and file_transfer.is_file_transfer(data))


def facts_only(facts: Mapping[str, str | int]) -> None:
    """Facts are named as those of messages are, and their text can be an element of an answer."""
    assert set(facts) <= set(MessageFacts._fields)
    for value in facts.values():
        if isinstance(value, str):
            assert 0 < len(value) <= MOST_FACT_CHARACTERS
            xml.parse(f"<x>{escape(value)}</x>".encode())


def mail(data: bytes) -> None:
    """Read a body as it is, and as what stands behind two fields of mail: whole and in blocks it says the same."""
    for content in (data, b"From: a@b.example\nSubject: s\n" + data):
        found = read_message(content)
        reader = MessageReader()
        for start in range(0, len(content), 997):
            reader.feed(content[start : start + 997])
        assert reader.close() == found
        assert 0 <= find_entity(content).start <= len(content)
        if found is not None:
            said = found._replace(parts=())._asdict()
            facts_only({name: value for name, value in said.items() if value is not None and value != ()})
            assert len(found.preview or "") <= PREVIEW_CHARACTERS
            parts_only(found.parts, len(content))


def parts_only(parts: tuple[Part, ...], length: int) -> None:
    """Each part has a number of its own, and lies within the one that it is a part of, behind its neighbours."""
    assert 0 < len(parts) <= MOST_PARTS
    ends: dict[str, int] = {}
    inside: dict[str, Part] = {}
    for part in parts:
        above = part.number.rpartition(".")[0]
        assert part.number not in inside
        assert part.number.count(".") <= MOST_DEPTH
        assert ends.get(above, 0) <= part.start <= part.stop <= length
        if above in inside:
            assert inside[above].start <= part.start <= part.stop <= inside[above].stop
        ends[above] = part.stop
        inside[part.number] = part
        for text in (
            part.filename,
            part.content_type,
            part.media_type,
            part.charset,
            part.content_id,
            part.disposition,
        ):
            facts_only({"subject": text} if text is not None else {})


def mail_text(data: bytes) -> None:
    """Read the text of one field as addresses, as a date, and as a value with parameters."""
    for text in (decode_field(data), decode_field(data, phrases=True)):
        facts_only({"subject": text} if text else {})
    moment = mail_dates.parse_date(text_of(data))
    assert moment is None or 0 <= moment < 4_200_000_000_000_000
    filename = text_parameter(parse_parameters(data).parameters, b"filename")
    facts_only({"filename": filename} if filename else {})


def transfer_encoding(data: bytes) -> None:
    """Decode in one block and in several."""
    for encoding in ("base64", "quoted-printable", "x-uuencode", "7bit"):
        whole = b"".join(decode((data,), encoding))
        size = 5 + len(data) // 100
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        assert b"".join(decode(pieces, encoding)) == whole
        assert len(whole) <= len(data) or encoding == "x-uuencode"  # whose lines say their length


@cache
def application() -> Client:
    """Return a store with a resource and a collection, served in this process."""
    directory = tempfile.TemporaryDirectory(prefix="fuzz-")
    client = Client(Path(directory.name))
    atexit.register(directory.cleanup)
    atexit.register(client.close)
    client.put("a", "0123456789")
    client.put("m", MESSAGE)
    client.mkcol("c")
    return client


def whole_request(data: bytes) -> None:
    """Read a request as lines: method and target, then headers, then after an empty line the body."""
    head, _, body = data.partition(b"\n\n")
    line, *fields = text_of(head).split("\n")
    method, _, target = line.partition(" ")
    given = dict(field.partition(": ")[::2] for field in fields)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method or "GET",
        "REQUEST_URI": target.replace("~", HOME, 1),
        "SCRIPT_NAME": "",
        "HTTP_HOST": HOST,
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": str(len(body)),
    }
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    answer = application()._send(environ)
    assert 200 <= answer.status < 500 or answer.status in (501, 502, 507)
    for name, value in answer.headers.items():
        assert "\n" not in name + value
        assert "\r" not in name + value
    if answer.headers.get("Content-Type", "").startswith("application/xml") and method not in ("GET", "HEAD"):
        assert xml.parse(answer.body) is not None


def answered(parse: Callable[[bytes], object], data: bytes) -> None:
    """Run a parser; an error that has an answer of its own is a result."""
    try:
        parse(data)
    except DavstoreError as error:
        if is_failure(error):
            raise


TOKEN: Final = b"urn:davstore:sync:1.7.3.0123456789abcdef.-.42"
XML_WORDS: Final = (
    b"<D:prop>",
    b"</D:prop>",
    b"<D:prop/>",
    b'xmlns:D="DAV:"',
    b' xmlns="urn:x"',
    b' xmlns=""',
    b' xmlns:p="urn:p"',
    b'<x xmlns="">',
    b"<p:x/>",
    b' xml:lang="de"',
    b"<!DOCTYPE x>",
    b"<!DOCTYPE x SYSTEM 'u'>",
    b"<!ENTITY a 'b'>",
    b"&a;",
    b"&amp;",
    b"&#0;",
    b"&#xD800;",
    b"&#13;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?x ?>",
    b'<?xml version="1.0" encoding="latin-1"?>',
    b'<?xml version="1.1"?>',
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
)
PROPFIND: Final = b'<D:propfind xmlns:D="DAV:">%b</D:propfind>'
PROPPATCH: Final = b'<D:propertyupdate xmlns:D="DAV:">%b</D:propertyupdate>'
MULTIGET: Final = (
    b'<C:multiget xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:prop><C:content max-size="1"/></D:prop>'
    b"<D:href>/a</D:href></C:multiget>"
)
HISTORY: Final = (
    b'<C:conversation-history xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><C:conversation-id>a</C:conversation-id>'
    b'<C:before tie="1">2026-11-24T10:00:00.5Z</C:before><D:limit><D:nresults>1</D:nresults></D:limit>'
    b'<D:prop><C:content max-size="1" encoding="auto"/></D:prop></C:conversation-history>'
)
OPERATION: Final = b'<C:bulk-%b xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">%b</C:bulk-%b>'
MKCOL: Final = (
    b'<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype>%b'
    b"</D:prop></D:set></D:mkcol>"
)
LOCKINFO: Final = (
    b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>'
    b"%b</D:lockinfo>"
)
REPORT: Final = (
    b'<D:sync-collection xmlns:D="DAV:"><D:sync-token>%b</D:sync-token><D:sync-level>1</D:sync-level>%b'
    b"<D:prop><D:getetag/></D:prop></D:sync-collection>"
)

MAIL: Final = (
    b"Received: by x; Tue, 1 Jan 2002 00:00:00 +0000\nFrom: =?utf-8?q?J=C3=BC?= <a@b.example>\nMessage-ID: <1@b>\n"
    b'Content-Type: multipart/mixed; boundary="b"\n\nprologue\n--b\nContent-Type: text/plain; charset=utf-8\n'
    b"Content-Transfer-Encoding: quoted-printable\n\nJ=C3=BC =\n\n--b\nContent-Type: message/rfc822\n\nSubject: s\n\n"
    b"inner\n--b\nContent-Type: multipart/digest; boundary=bc\n\n--bc\n\nSubject: d\n\nd\n--bc--\n--b\n"
    b"Content-Type: text/html\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; "
    b"filename*0*=utf-8''%41; filename*1=b\n\nPGI+eDwvYj4=\n--b--\nepilogue\n"
)
EXPAND: Final = b'<D:expand-property xmlns:D="DAV:">%b</D:expand-property>'

MATCH: Final = b"""<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property>
<D:prop><D:displayname/></D:prop></D:principal-match>"""
WHY: Final = b"""<C:explain-access xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:principal>
<D:href>/dav/principals/users/bob/</D:href></D:principal><C:method>PUT</C:method></C:explain-access>"""
SEARCH: Final = b"""<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop>
<D:match>alice</D:match></D:property-search><D:prop><D:displayname/></D:prop><D:apply-to-principal-collection-set/>
</D:principal-property-search>"""

ACL: Final = b"""<D:acl xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:ace><D:principal><D:self/></D:principal><D:deny>
<D:privilege><C:list/></D:privilege></D:deny></D:ace><D:ace><D:principal><D:href>/dav/principals/users/bob/</D:href>
</D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:unbind/></D:privilege></D:grant>
<C:expires>2026-12-31T23:59:59Z</C:expires><C:filter><D:where><D:is-collection/></D:where></C:filter></D:ace><D:ace>
<D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant>
</D:ace></D:acl>"""

PREFERENCE: Final = b"""<C:sync-preferences xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><C:automatic>F</C:automatic>
<C:min-interval>P1DT15M</C:min-interval><C:bearer-not>cellular-roaming</C:bearer-not>
<C:window zone="Europe/Berlin">22:00-06:00</C:window><C:include><D:href>/a/</D:href><D:href>/b%20*/</D:href>
<C:level>1</C:level></C:include><C:exclude><D:href>/a/c/</D:href></C:exclude><C:kind>message</C:kind>
<C:max-body-size>1000</C:max-body-size><C:max-age>P30D</C:max-age><D:where><D:or><D:is-collection/>
<D:not><D:eq caseless="yes"><D:prop><C:subject/></D:prop><D:literal>x</D:literal></D:eq></D:not>
<D:gt><D:prop><C:date/></D:prop><D:literal>2026-01-01T00:00:00.5Z</D:literal></D:gt></D:or></D:where>
<C:list-only>T</C:list-only><C:withhold-states><C:seen/></C:withhold-states></C:sync-preferences>"""

TARGETS: Final[dict[str, Target]] = {
    "multipart": Target(
        multipart_body,
        (b"x\r\n--b\r\nA: b\r\n\r\nc\r\n--b \r\n\r\n--b--\r\n",),
        (b"\r\n", b"\n--b\r\n", b"\n--b--", b"--bx", b"A: b", b"\n ", b"\0"),
    ),
    "slug": Target(slug, (b"The Beach at S%C3%A8te", b"../%2e%2e/a%00.jpg"), (b"%C3", b"%E2%80%AE", b".", b"/", b" ")),
    "acl": Target(
        acl_body,
        (ACL,),
        (b"<D:all/>", b"<D:owner/>", b"<D:grant>", b"</D:grant>", b"deny", b"<C:filter/>", b"never", b"Z", b"<D:ace>"),
    ),
    "preference": Target(
        preference,
        (PREFERENCE,),
        (b"<D:href>/a/</D:href>", b"<C:kind>media</C:kind>", b"T", b"F", b"9", b"PT1S", b"/", b"%2F", b"[", b"**"),
    ),
    "mail": Target(
        mail,
        (
            MAIL,
            MAIL.replace(b"\n", b"\r\n"),
            b"Content-Type: text/html\n\n<p>a<script>b</script>&nbsp;c<td>",
            b"Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--",
            b"Content-Type: application/x-cpm-session\n\n<session><invited-participants>tel:1",
        ),
        (
            *(b"\n", b"\r\n", b"\n--b\n", b"\n--b--\n", b"--bc", b"Content-Type: ", b"multipart/mixed; boundary=b\n\n"),
            *(
                b"message/rfc822\n\n",
                b"Content-Type: message/cpim\n\n",
                b"\0",
                b"=?",
                b"?=",
                b"From x\n",
                b"<!--",
                b"<b ",
            ),
        ),
    ),
    "mail_text": Target(
        mail_text,
        (
            b'"a, b" <a@b>, =?utf-8?q?J=C3=BC?= =?utf-8?b?w7w=?= (c) <c@d>',
            b"Tue, 01 Jan 2002 00:00:60 +0100",
            b"ven., 30 10 2015 16:26:16.0 +0100",
            b'attachment; filename*0*=iso-8859-1\'de\'%E4; filename*1="b\\""; filename=c d',
        ),
        (
            b"=?utf-7?q?",
            b"?=",
            b"=?x?b?",
            b";",
            b"'",
            b"%",
            b'"',
            b"\\",
            b"*0*=",
            b"1 Jan 2002 ",
            b"\n ",
            b"\xed\xa0\x80",
        ),
    ),
    "transfer_encoding": Target(
        transfer_encoding,
        (
            b"aGVsbG8gd29ybGQ=\r\naGVsbG8",
            b"a=3D \t\r\nb=\r\nc=4",
            b"begin 644 x\n#0V%T\n`\nend\n",
        ),
        (b"=", b"==", b"=\r", b"\r\n", b"\n", b" \n", b"begin ", b"end", b"=4"),
    ),
    "request_target": Target(
        request_target,
        (
            b"/",
            b"/a/b%20c/",
            b"/%C3%A4?part=1.2",
            b"http://h:80/a%2Fb",
            b"/a%252Fb",
            b"//a",
            b"*",
            b"/\xff",
            b"/a/%2e%2E/b",
            b"/./a",
        ),
        (b"%", b"%2e", b"%2F", b"%00", b"%ff", b"%ed%a0%80", b"..", b"//", b"#", b"?", b"https://[::1]:1/"),
    ),
    "request_head": Target(
        request_head,
        (
            b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"PUT http://h:1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
            b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nA: b\r\nA: c\r\n\r\n",
            b"OPTIONS * HTTP/1.0\r\nContent_Length: 1\r\n\r\n",
        ),
        (
            b"\r\n",
            b"\n",
            b"\r",
            b":",
            b" ",
            b"\t",
            b"\0",
            b"Content-Length",
            b"Transfer-Encoding",
            b"chunked",
            b"HTTP/1.1",
        ),
    ),
    "destination": Target(
        destination,
        (b"/a/b", b"http://dav.example/a", b"https://dav.example:443/a", b"http://other/a", b"ftp://x/", b"a", b""),
        (b"dav.example", b":80", b"@", b"[::1]", b"%2e%2e", b"http:", b"//", b"?", b"#"),
    ),
    "host": Target(host, (b"dav.example", b"DAV.EXAMPLE:80", b"[::1]:8080", b"x:", b""), (b":", b"[", b"]", b"%")),
    "if_lists": Target(
        if_lists,
        (
            b'(<urn:uuid:1> ["a"]) (Not <DAV:no-lock>)',
            b'</a> (["x"] [W/"y"]) <http://dav.example/b> (Not ["z"])',
            b"(<" + TOKEN + b">)",
            b"()",
        ),
        (b"(", b")", b"<", b">", b"Not ", b"[", b"]", b'W/"', b'"', b"<u:x>", b'["e"]'),
    ),
    "byte_ranges": Target(
        byte_ranges,
        (b"bytes=0-1", b"bytes=-5, 10-, 3-7", b"bytes=999-", b"bytes=1000-", b"items=1", b"bytes=" + b"1-2," * 20),
        (b"-", b",", b"bytes=", b"0", b"9" * 30, b"\xb2"),
    ),
    "if_range": Target(if_range, (b'"x"', b'W/"x"', b"Thu, 01 Jan 1970 00:00:00 GMT"), (b'"', b" ")),
    "credentials": Target(
        credentials,
        (b"Basic bWU6c2VjcmV0", b"Bearer dvs_0123_abc", b"basic  Og==", b"Basic !", b"Digest username=x", b""),
        (b"=", b" ", b"/w==", b"AAAA"),
    ),
    "preferences": Target(
        preferences,
        (b"return=minimal", b'depth-noroot, return="representation"; x=y', b",,;="),
        (b",", b";", b"=", b'"', b"return", b"minimal", b"depth-noroot"),
    ),
    "digest": Target(
        digest,
        (b"sha-256=:" + b"A" * 43 + b"=:", b"md5=:AAAA:, sha-256=:x:", b"sha-256=::", b"sha-256"),
        (b"sha-256=", b":", b",", b"=", b";q=1"),
    ),
    "wanted_digest": Target(wanted_digest, (b"sha-256=9", b"md5=1, sha-256", b"sha-256=0;x"), (b",", b"=", b";", b"9")),
    "http_date": Target(
        http_date,
        (
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
            b"Mon, 29 Feb 2023 23:59:60 GMT",
            b"Fri, 31 Dec 9999 23:59:60 GMT",
            b"Mon, 01 Jan 0000 00:00:00 GMT",
        ),
        (b"0001", b"9999", b"0000", b"60", b"29 Feb", b"\xb2"),
    ),
    "small_headers": Target(
        small_headers,
        (
            *(b"0", b"1", b"infinity", b"T", b"f", b"17", b"9" * 5_000, b"*", b'"a", W/"b",,"c"', b"Second-4100000000"),
            *(b"Infinite, Second-9", b"<urn:uuid:1>", b"urn:uuid:1", b"1700000000.5", b"253402300800", b"SHA1:0aF"),
        ),
        (b'"', b",", b"W/", b"<", b">", b"Second-", b":", b".", b"-", b"9" * 20, b"\xb2", b"\xa0"),
    ),
    "context_header": Target(
        context_header,
        (b"mode=manual, bearer=wifi", b'mode=automatic;a=1, x="\\"", n=-1.5, b=?0', b"mode"),
        (b",", b";", b"=", b'"', b"\\", b"?1", b"*", b"mode=manual", b"bearer="),
    ),
    "token": Target(
        token,
        (TOKEN, TOKEN + b".5.6.7.1", b"urn:davstore:sync:1.0.0.0000000000000000.ffffffffffffffff.0", b"urn:x"),
        (b".", b"0", b"-", b"9" * 19, b"9223372036854775808"),
    ),
    "propfind_body": Target(
        propfind_body,
        (
            PROPFIND % b'<D:prop><D:getetag/><x xmlns="urn:x"/><y/></D:prop>',
            PROPFIND % b"<D:allprop/><D:include><D:acl/></D:include>",
            PROPFIND % b"<D:propname/>",
        ),
        XML_WORDS,
    ),
    "proppatch_body": Target(
        proppatch_body,
        (
            PROPPATCH % b'<D:set><D:prop><x xmlns="urn:x" xml:lang="en">v<y>&amp;</y></x></D:prop></D:set>',
            PROPPATCH
            % b'<D:remove><D:prop><p:x xmlns:p="urn:p"/></D:prop></D:remove><D:set><D:prop><y/></D:prop></D:set>',
        ),
        (*XML_WORDS, b"<D:set>", b"<D:remove>"),
    ),
    "mkcol_body": Target(mkcol_body, (MKCOL % b"", MKCOL % b"<D:displayname>n</D:displayname><x/>"), XML_WORDS),
    "lock_body": Target(
        lock_body,
        (LOCKINFO % b"", LOCKINFO % b"<D:owner>me</D:owner>", LOCKINFO % b'<D:owner><x xmlns="urn:x"/></D:owner>', b""),
        (*XML_WORDS, b"<D:shared/>"),
    ),
    "operation_body": Target(
        operation_body,
        (
            OPERATION % (b"update", b"<D:href>/a</D:href><D:set><D:prop><C:seen/></D:prop></D:set>", b"update"),
            OPERATION % (b"delete", b"<D:where><D:is-collection/></D:where>", b"delete"),
        ),
        (*XML_WORDS, b"<D:href>", b"</D:href>", b"<D:where>", b"</D:where>", b"bulk-update", b"<D:remove>"),
    ),
    "report_body": Target(
        report_body,
        (
            REPORT % (TOKEN, b"<D:limit><D:nresults>10</D:nresults></D:limit>"),
            REPORT % (b"", b'<C:context xmlns:C="urn:davstore:cpm"><C:mode>manual</C:mode></C:context>'),
            EXPAND % b'<D:property name="owner"><D:property name="x" namespace="urn:x"/></D:property>',
            HISTORY,
            MULTIGET,
            MATCH,
            WHY,
            SEARCH,
        ),
        (
            *XML_WORDS,
            b"infinite",
            b"9" * 30,
            b'<D:property name="a">',
            b' name="',
            b' namespace="',
            b"&quot;",
            b"&#10;",
        ),
    ),
    "chunked_body": Target(
        chunked_body,
        (b"5\r\nhello\r\n0\r\n\r\n", b"1;x=y\r\na\r\n0\r\nT: v\r\n\r\n", b"FFFFFFFF\r\n", b"-1\r\n"),
        (b"\r\n", b"0", b";", b"\n", b"0x", b"_", b"+"),
    ),
    "cpim_head": Target(
        cpim_head,
        (
            cpm_bodies.CPIM,
            cpm_bodies.CPIM.replace(b"Require:", b"x:"),
            b"From: <im:a@b>\nTo: <im:c@d>\nNS: <urn:x>\nSubject:;lang=a \\ud83d\\ude00\n\nContent-Type: a/b\n\nc",
        ),
        (
            *(
                b"\r\n",
                b"\n",
                b":",
                b";lang=",
                b'"',
                b"\\u0000",
                b"\\ud800",
                b"NS: x <urn:x>\n",
                b"Require: x.y\n",
                b"\xfc",
            ),
            *(b"To: <im:a@b>\n", b"DateTime: 1990-12-31T23:59:60Z\n", b"imdn.Message-ID: 1\n", b"Content-Type: a/b\n"),
        ),
    ),
    "imdn_body": Target(
        imdn_body,
        (
            cpm_bodies.IMDN,
            b'<i:imdn xmlns:i="urn:ietf:params:xml:ns:imdn"><i:recipient-uri>a</i:recipient-uri></i:imdn>',
        ),
        (
            *(*XML_WORDS, b"urn:ietf:params:xml:ns:imdn", b"<recipient-uri>", b"</recipient-uri>", b"imdn"),
            *(b"<message-id>", b"</message-id>", b"<display-notification>", b"<status>", b"<displayed/>"),
        ),
    ),
    "store_objects": Target(
        store_objects,
        (cpm_bodies.SESSION, cpm_bodies.GROUP_STATE, cpm_bodies.FILE_TRANSFER, cpm_bodies.OVER_HTTP),
        (*XML_WORDS, b"<sdp>", b"</sdp>", b"a=file-selector:", b' name:"', b" size:1", b";", b"%00", b"%ed%a0%80"),
    ),
    "whole_request": Target(
        whole_request,
        (
            b"GET ~/a\nRange: bytes=1-2\nIf-None-Match: *",
            b"PROPFIND ~/\nDepth: 1\nPrefer: return=minimal\n\n" + PROPFIND % b"<D:prop><D:getetag/><x/></D:prop>",
            b'PUT ~/b\nIf: (["x"])\nX-OC-Mtime: 1\nContent-Type: a/b\n\nbody',
            b"PROPPATCH ~/a\n\n" + PROPPATCH % b"<D:set><D:prop><x>v</x></D:prop></D:set>",
            b"MKCOL ~/d\nContent-Type: text/xml\n\n" + MKCOL % b"<x/>",
            b"COPY ~/a\nDestination: /dav/store/alice/e\nOverwrite: F\nDepth: 0",
            b"MOVE ~/c\nDestination: http://dav.example/dav/store/alice/c2",
            b"LOCK ~/a\nTimeout: Second-1\nDepth: 0\n\n" + LOCKINFO % b"<D:owner>me</D:owner>",
            b"UNLOCK ~/a\nLock-Token: <urn:uuid:1>",
            b"REPORT ~/\n\n" + REPORT % (TOKEN, b""),
            b"REPORT ~/m\n\n" + EXPAND % b'<D:property name="owner"><D:property name="displayname"/></D:property>',
            b"GET ~/m?part=2\nRange: bytes=1-2, 4-5",
            b"COPY ~/m?part=1\nDestination: /dav/store/alice/e",
            b"DELETE ~/b\nIf: (Not <DAV:no-lock>)",
            b"OPTIONS *",
        ),
        (b"\n", b": ", b"~/", b"Depth: infinity\n", b"If-Match: ", b"If: ", b"/dav/store/bob/", b"%2e%2e", *XML_WORDS),
    ),
}
