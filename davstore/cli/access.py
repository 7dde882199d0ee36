"""`davstore acl`: explain who may do what, and by which entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.tables import render_time
from davstore.engine.reasons import ACTS, Answer, Explained, Reason, Verdict
from davstore.errors import NotFound, Unprocessable
from davstore.errors.rights import RecognizedPrincipal
from davstore.interchange.names import is_legal
from davstore.model.acl import Word
from davstore.model.paths import Path
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind
from davstore.protocol import urls
from davstore.protocol.dav.acl import fewest
from davstore.settings import Settings
from davstore.store import enrolling, explaining

_WORDS = {PrincipalKind.USER: "", PrincipalKind.GROUP: "group:", PrincipalKind.LIST: "list:"}
_STATUSES = {
    Answer.ALLOWED: "allowed",
    Answer.REFUSED: "refused (403)",
    Answer.HIDDEN: "as if nothing were there (404)",
}


@click.group()
def acl() -> None:
    """Explain access control."""


@acl.command()
@with_settings
@click.argument("who")
@click.argument("method")
@click.argument("path")
def explain(settings: Settings, *, who: str, method: str, path: str) -> None:
    """Say whether the user WHO may use METHOD at PATH, and which entry decides.

    PATH is OWNER/FOLDER/NAME, or a path that begins with /dav/. Of COPY and MOVE the source is meant. Conditions, locks
    and the policy are not looked at.
    """
    word, place = method.upper(), _read_path(path)
    if word not in ACTS:
        raise Unprocessable(f"{method}: there are {', '.join(ACTS)}")
    with wiring.open_services(settings) as plain:
        services = replace(plain, groups=wiring.open_groups(settings).of)
        owner = services.context(Principal(enrolling.get_user(services.database, place.store)))
        try:
            [found] = explaining.explain_access(owner, place, who, [word])
        except RecognizedPrincipal as error:
            raise NotFound(f"there is no user {who}") from error
    for line in _lines(found):
        click.echo(line)


def _read_path(text: str) -> Path:
    segments = tuple(filter(None, text.split("/")))
    if segments[:1] == urls.HOME:
        path = urls.find_path(segments)
    else:
        path = Path(segments[0], segments[1:]) if segments else None
    if path is None or not all(map(is_legal, path.names)):
        raise Unprocessable(f"{text!r} is no path like alice/Photos/a or /dav/store/alice/Photos/a")
    return path


def _lines(found: Explained) -> Iterator[str]:
    yield _STATUSES[found.answer]
    for reason in found.reasons:
        yield f"  {_privilege(reason.privilege)} on {_name(reason.path)}: {_verdict(reason)}"


def _verdict(reason: Reason) -> str:
    said = [
        f"to {_who(one.entry.who)} at {_name(one.path)}"
        + (f" until {render_time(one.entry.ace.expires_us)}" if one.entry.ace.expires_us is not None else "")
        for one in reason.deciders
    ]
    if reason.verdict is Verdict.LACKING:
        return f"only a part is granted {' and '.join(said)}" if said else "no entry grants it"
    return f"{reason.verdict.value} {' and '.join(said)}"


def _privilege(bits: int) -> str:
    return ",".join(name.partition("}")[2] for name in fewest(bits))


def _name(path: Path) -> str:
    return "/".join(urls.segments_of(path)[2:] if path.area == 0 else ("", *urls.segments_of(path)))


def _who(who: NamedPrincipal | Word) -> str:
    return f"({who.value})" if isinstance(who, Word) else f"{_WORDS[who.kind]}{who.name}"
