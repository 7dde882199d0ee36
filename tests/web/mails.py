"""Messages for the tests of the pages, written out as senders write them."""

from __future__ import annotations

import base64
from collections.abc import Iterable

WRITE = "fetch('/dav/store/me/ran',{method:'PUT',body:'x'})"
"""What a script in a message does with the credentials of its reader."""
EVIL = """
<html><head>
<base href="TRAP/"><meta http-equiv="refresh" content="0;url=TRAP/refresh">
<link rel="stylesheet" href="TRAP/sheet.css"><link rel="prefetch" href="TRAP/prefetch">
<link rel="preload" as="image" href="TRAP/preload"><link rel="icon" href="TRAP/icon">
<style>@import url("TRAP/import.css"); @font-face { font-family: f; src: url("TRAP/font"); }
p, body { font-family: f; background: url("TRAP/style") } #a { content: url(TRAP/content) }</style>
<script src="TRAP/script.js"></script><script>WRITE</script>
</head><body background="TRAP/body" onload="WRITE" style="background: url('TRAP/bodystyle')">
<p id="a">SHOWN</p>
<img src="TRAP/img"><img src="//HOST/img2"><img srcset="TRAP/srcset 1x"><img src=x onerror="WRITE"><picture>
<source srcset="TRAP/source"><img src="TRAP/picture"></picture><input type="image" src="TRAP/input">
<div style="background: url(TRAP/div)">a</div><div style="background-image: image-set('TRAP/set' 1x)">b</div>
<div style="b\\61 ckground:u\\72l(TRAP/escaped)">c</div><div style="list-style: url(TRAP/list)">d</div>
<div style="width: 9px; background: red; background: -webkit-image-set(url(TRAP/webkit) 1x)">e</div>
<table background="TRAP/table"><tr><td background="TRAP/td">f</td></tr></table>
<svg onload="WRITE"><image href="TRAP/svg" /><use href="TRAP/use#a" /><script>WRITE</script>
<style>* { background: url(TRAP/svgstyle) }</style><foreignObject><img src="TRAP/foreign"></foreignObject></svg>
<form action="TRAP/form"><input name="a" autofocus onfocus="WRITE"><button>Send</button></form>
<iframe src="TRAP/frame"></iframe><iframe srcdoc="<script>parent.WRITE</script>"></iframe><object data="TRAP/object">
</object><embed src="TRAP/embed"><video src="TRAP/video" poster="TRAP/poster" autoplay></video>
<audio src="TRAP/audio" autoplay></audio><a href="TRAP/ping" ping="TRAP/ping2">remote</a>
<a href="javascript:WRITE">script</a><a href=" java&#10;script:WRITE">script 2</a><a href="data:text/html,x">data</a>
<a href="/dav/store/me/">here</a><a href="?raw">relative</a><details open ontoggle="WRITE">g</details>
<div style="position: fixed; top: 0; left: 0; width: 9999px; height: 9999px; z-index: 9">cover</div>
<noscript><img src="TRAP/noscript"></noscript><template><img src="TRAP/template"></template>
</body></html></div></main></body></html>
<style>body { display: none }</style><script>top.WRITE</script><img src="TRAP/behind">
<math><mtext><mglyph><style><!--</style><img title="--&gt;&lt;img src=TRAP/mutated onerror=WRITE&gt;"></mglyph></math>
"""
"""HTML that tries all ways out: TRAP is a server elsewhere, HOST its address, WRITE a script."""


def mail(body: str | bytes = "Text.\r\n", content_type: str = "text/plain; charset=utf-8", **fields: str) -> bytes:
    """Return a message; None of its usual fields need be given, `_` in a name stands for `-`."""
    usual = {
        "From": "Anna Berg <anna@example.org>",
        "To": "me@example.net",
        "Subject": "Holidays",
        "Date": "Mon, 1 Jun 2026 10:00:00 +0200",
        "Message_ID": "<1@example.org>",
        "MIME_Version": "1.0",
        "Content_Type": content_type,
    }
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in {**usual, **fields}.items() if value]
    return "".join(lines).encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def part(content: bytes | str, content_type: str, *more: str) -> bytes:
    """Return an entity of a multipart, in base64; more are further fields."""
    content = content.encode() if isinstance(content, str) else content
    fields = [f"Content-Type: {content_type}", "Content-Transfer-Encoding: base64", *more, "", ""]
    return "\r\n".join(fields).encode() + base64.encodebytes(content).replace(b"\n", b"\r\n")


def multipart(subtype: str, parts: Iterable[bytes], **fields: str) -> bytes:
    """Return a message of parts."""
    return mail(joined(subtype, parts), f'multipart/{subtype}; boundary="={subtype}="', **fields)


def nested(subtype: str, parts: Iterable[bytes]) -> bytes:
    """Return an entity of a multipart that is one itself."""
    head = f'Content-Type: multipart/{subtype}; boundary="={subtype}="\r\n\r\n'
    return head.encode() + joined(subtype, parts)


def joined(subtype: str, parts: Iterable[bytes]) -> bytes:
    """Return parts between their boundaries."""
    boundary = f"--={subtype}="
    return b"".join(f"{boundary}\r\n".encode() + one + b"\r\n" for one in parts) + f"{boundary}--\r\n".encode()
