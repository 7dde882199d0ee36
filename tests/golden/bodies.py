"""The XML that sequences send."""

from __future__ import annotations

from typing import Final

D: Final = 'xmlns:D="DAV:"'
LIVE: Final = (
    *("D:resourcetype", "D:getetag", "D:getcontentlength", "D:getcontenttype", "D:getlastmodified", "D:creationdate"),
    *("D:displayname", "D:supportedlock", "D:lockdiscovery", "D:lastmodified", "D:resource-id", "D:sync-token"),
    *("D:quota-available-bytes", "D:quota-used-bytes", "D:owner", "D:current-user-principal"),
    *("D:principal-collection-set", "D:supported-report-set", "D:supported-method-set"),
    *("D:supported-live-property-set", "D:principal-URL", "D:alternate-URI-set", "D:group-membership"),
    *("C:modseq", "C:root", "O:checksums"),
)
"""Every property that the server tells of some kind of resource."""
NAMESPACES: Final = f'{D} xmlns:C="urn:davstore:cpm" xmlns:O="http://owncloud.org/ns" xmlns:x="urn:x"'
EXCLUSIVE: Final = "<D:exclusive/>"
SHARED: Final = "<D:shared/>"


def prop(*names: str) -> str:
    """Return a PROPFIND for properties, named with their prefix."""
    return f"<D:propfind {NAMESPACES}><D:prop>{_empty(names)}</D:prop></D:propfind>"


def propfind(content: str) -> str:
    """Return a PROPFIND with any content."""
    return f"<D:propfind {NAMESPACES}>{content}</D:propfind>"


def including(*names: str) -> str:
    """Return a PROPFIND for all that allprop tells, and more."""
    return propfind(f"<D:allprop/><D:include>{_empty(names)}</D:include>")


def setting(content: str) -> str:
    """Return the instruction that sets properties."""
    return f"<D:set><D:prop>{content}</D:prop></D:set>"


def removing(*names: str) -> str:
    """Return the instruction that removes properties."""
    return f"<D:remove><D:prop>{_empty(names)}</D:prop></D:remove>"


def patch(*instructions: str) -> str:
    """Return a PROPPATCH."""
    return f"<D:propertyupdate {NAMESPACES}>{''.join(instructions)}</D:propertyupdate>"


def mkcol(content: str = "", kind: str = "<D:collection/>") -> str:
    """Return an extended MKCOL: content is more properties."""
    return f"<D:mkcol {NAMESPACES}>{setting(f'<D:resourcetype>{kind}</D:resourcetype>{content}')}</D:mkcol>"


def lockinfo(scope: str = EXCLUSIVE, owner: str = "") -> str:
    """Return what a LOCK asks for."""
    told = f"<D:owner>{owner}</D:owner>" if owner else ""
    write = "<D:locktype><D:write/></D:locktype>"
    return f"<D:lockinfo {D}><D:lockscope>{scope}</D:lockscope>{write}{told}</D:lockinfo>"


def sync(
    token: str = "", *, level: str = "infinite", limit: object = None, props: str = "<D:getetag/>", more: str = ""
) -> str:
    """Return a sync-collection report."""
    nresults = "" if limit is None else f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
    return (
        f"<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>"
        f"{nresults}<D:prop>{props}</D:prop>{more}</D:sync-collection>"
    )


def report(name: str, content: str = "") -> str:
    """Return a report with any content: of RFC 3744, or by a name with a prefix."""
    root = name if ":" in name else f"D:{name}"
    return f"<{root} {NAMESPACES}>{content}</{root}>"


def searching(text: str) -> str:
    """Return a search for a name."""
    return f"<D:property-search><D:prop><D:displayname/></D:prop><D:match>{text}</D:match></D:property-search>"


def _empty(names: tuple[str, ...]) -> str:
    return "".join(f"<{name}/>" for name in names)


MAIL: Final = """From: a@x
Subject: three parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

gr=C3=BCn
--b
Content-Type: image/png; name=a b.png
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="a b.png"
Content-ID: <one@x>

MDEyMzQ1Njc4OQ==
--b
Content-Type: message/rfc822

From: b@x
Subject: inside

text
--b--
""".replace("\n", "\r\n")
"""A message with a text, a file and a message in it."""


def expand(*properties: str) -> str:
    """Return an expand-property report."""
    return f"<D:expand-property {D}>{''.join(properties)}</D:expand-property>"


def asked(name: str, *nested: str, namespace: str = "") -> str:
    """Return a property of an expand-property report, and those within it."""
    told = f' namespace="{namespace}"' if namespace else ""
    return f'<D:property name="{name}"{told}>{"".join(nested)}</D:property>'
