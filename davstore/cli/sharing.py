"""`davstore share`, `unshare` and `shares`: parts of a store that others may use. Works while the server runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.tables import render_table, render_time
from davstore.engine.context import Context, Services
from davstore.errors import Conflict, Locked, NoRoom, NotFound, Unprocessable, rights
from davstore.interchange.names import is_legal
from davstore.model.acl import Privilege, Word, each_supported
from davstore.model.paths import Area, Path
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind
from davstore.protocol import urls
from davstore.protocol.dav.acl import fewest
from davstore.protocol.dav.hrefs import render_href
from davstore.settings import Settings
from davstore.store import enrolling, sharing
from davstore.store.sharing import Opened

_MAY = {one.name: one.privilege for one in each_supported()} | {"write": Privilege.READ | Privilege.WRITE}
"""What a person may be let do. To write without reading is of no use to one."""
_KINDS = {"user": PrincipalKind.USER, "group": PrincipalKind.GROUP, "list": PrincipalKind.LIST}


class _Privileges(click.ParamType[int]):
    """Names of privileges, with commas between them."""

    name = "may"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bits."""
        bits = 0
        for word in str(value).split(","):
            if word not in _MAY:
                self.fail(f"{word!r} is no privilege; there are {', '.join(_MAY)}", param, ctx)
            bits |= _MAY[word]
        return bits


class _Until(click.ParamType[int]):
    """A day, which is meant to its end, or a time; without a zone they are those of this machine."""

    name = "date"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return microseconds since the epoch."""
        text = str(value)
        try:
            at = datetime.fromisoformat(text)
            with contextlib.suppress(ValueError):
                at = datetime.combine(date.fromisoformat(text) + timedelta(days=1), datetime.min.time())
            return int(at.timestamp()) * 1_000_000
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no date like 2027-01-31 and no time like 2027-01-31T18:00", param, ctx)


@click.command()
@with_settings
@click.argument("user")
@click.argument("path")
@click.option("--with", "name", metavar="NAME", required=True, help="A user, group:NAME, or list:NAME of USER.")
@click.option(
    "--may",
    type=_Privileges(),
    multiple=True,
    required=True,
    help="read, write (with read), or privileges such as add-item; several with commas.",
)
@click.option("--until", type=_Until(), help="A day, to its end, or a time (for good).")
def share(settings: Settings, *, user: str, path: str, name: str, may: Sequence[int], until: int | None) -> None:
    """Let NAME use PATH in the store of USER, and all beneath it.

    NAME finds it in /dav/shared/. What NAME was let do with PATH before is replaced; what others may do stays.
    """
    privileges = 0
    for one in may:
        privileges |= one
    with _as_owner(settings, user, path) as (context, place):
        who = _find_who(context, user, name)
        with _explained(place, name):
            sharing.share(context, place, who, privileges, until)


@click.command()
@with_settings
@click.argument("user")
@click.argument("path")
@click.option("--with", "name", metavar="NAME", help="One that it is shared with (everyone).")
def unshare(settings: Settings, *, user: str, path: str, name: str | None) -> None:
    """End what NAME, or everyone, was let do with PATH in the store of USER. What is denied stays so."""
    with _as_owner(settings, user, path) as (context, place):
        who = None if name is None else _find_who(context, user, name)
        with _explained(place, name):
            done = sharing.unshare(context, place, who)
    if not done:
        raise NotFound(f"{path} is not shared" + (f" with {name}" if name else ""))


@click.command()
@with_settings
@click.argument("user", required=False)
def shares(settings: Settings, *, user: str | None) -> None:
    """List what is shared: owner, path, with whom, what they may, until when. With USER: by it and with it."""
    with _open(settings) as services:
        found: list[Opened] = []
        owners = [one.user for one in enrolling.list_users(services.database)] if user is None else []
        for one in owners or [enrolling.get_user(services.database, user or "")]:
            found += sharing.list_given(services, one.name)
            found += [] if user is None else sharing.list_taken(services, Principal(one))
    rows = [_row(one) for one in sorted(found, key=lambda one: one.path)]
    click.echo(render_table(("OWNER", "PATH", "WITH", "MAY", "UNTIL"), rows))


def _row(one: Opened) -> tuple[str, ...]:
    path, (who, ace, _) = one.path, one.entry
    place = render_href(urls.segments_of(path), one.is_collection)
    if path.area is Area.STORE:
        place = "/".join(path.names) + ("/" if one.is_collection else "")
    words = ",".join(name.partition("}")[2] for name in fewest(ace.privileges))
    return path.store, place, _render_who(who), f"not {words}" if ace.denies else words, render_time(ace.expires_us)


def _render_who(who: NamedPrincipal | Word) -> str:
    if isinstance(who, Word):
        return f"({who.value})"
    word = next(word for word, kind in _KINDS.items() if kind is who.kind)
    return who.name if who.kind is PrincipalKind.USER else f"{word}:{who.name}"


@contextlib.contextmanager
def _open(settings: Settings) -> Iterator[Services]:
    """Yield the services, which know the provider's groups."""
    with wiring.open_services(settings) as services:
        yield replace(services, groups=wiring.open_groups(settings).of)


@contextlib.contextmanager
def _as_owner(settings: Settings, user: str, path: str) -> Iterator[tuple[Context, Path]]:
    """Yield the context of the owner of a store, and a place in it."""
    names = tuple(name for name in path.split("/") if name)
    if not all(map(is_legal, names)):
        raise Unprocessable(f"{path!r} is no path of a store")
    with _open(settings) as services:
        yield services.context(Principal(enrolling.get_user(services.database, user))), Path(user, names)


def _find_who(context: Context, owner: str, text: str) -> NamedPrincipal:
    """Return the principal of a name. Raises Unprocessable: none that anything can be shared with; NotFound."""
    word, colon, name = text.rpartition(":")
    kind = _KINDS.get(word if colon else "user")
    if kind is None:
        raise Unprocessable(f"{text!r} is neither a user nor group:NAME or list:NAME")
    if kind is not PrincipalKind.USER:
        return NamedPrincipal(kind, name, owner if kind is PrincipalKind.LIST else None)
    if name == owner:
        raise Unprocessable(f"{owner} may do everything already")
    users = enrolling.list_names(context.services.database)
    if name not in users:
        whose, slash, device = name.partition("/")
        if (device in users.get(whose, ())) if slash else name in users.get(owner, ()):
            raise Unprocessable(f"{name} is a device; it may do what its user may")
        raise NotFound(f"there is no user {name}")
    return NamedPrincipal(kind, name)


@contextlib.contextmanager
def _explained(path: Path, name: str | None) -> Iterator[None]:
    """Raise errors of the store with words for the operator."""
    place = "/".join(path.names) or "/"
    try:
        yield
    except NotFound as error:
        raise NotFound(f"{path.store} has no {place}") from error
    except Locked as error:
        raise Conflict(f"{place} is locked; `davstore lock list` says by whom") from error
    except rights.RecognizedPrincipal as error:
        raise NotFound(f"there is no {name} that {path.store} can share with") from error
    except rights.ExpiryInFuture as error:
        raise Unprocessable("--until is past") from error
    except rights.TooManyAces as error:
        raise NoRoom(f"{place} has {error}, and no room for more") from error
