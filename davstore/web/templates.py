"""The templates and styles of the pages, and the policies that their browsers are to keep."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

Headers = list[tuple[str, str]]

_HERE: Final = files(__package__)


def read(name: str) -> str:
    """Return the text of a file of this package."""
    return _HERE.joinpath(name).read_text()


def protect(style: str, *more: str) -> Headers:
    """Return the headers of a page, with more directives of its policy.

    A page has no script; its one style sheet stands in it and is known by its hash.
    """
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = ["default-src 'none'", f"style-src 'sha256-{style_hash}'", "img-src 'self'", "base-uri 'none'"]
    policy += ["form-action 'none'", "frame-ancestors 'none'", *more]
    return [
        ("Content-Security-Policy", "; ".join(policy)),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]


STYLE: Final = read("page.css")
PROTECTION: Final = protect(STYLE)
"""The headers of a page that has nothing but this style."""
_ENVIRONMENT: Final = Environment(
    loader=FunctionLoader(read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def load_template(name: str) -> Template:
    """Return a template of this package."""
    return _ENVIRONMENT.get_template(name)
