"""The place where objects are built and joined, but for those above the store (`application_wiring`)."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.directory import identity, serving
from davstore.directory.numbers import Numbers
from davstore.engine.context import Services, now_us
from davstore.errors import BadSettings, DavstoreError, Unavailable
from davstore.jobs import sweeping
from davstore.jobs.bell import Bell
from davstore.jobs.indexing import READ_MESSAGES, read_messages
from davstore.jobs.refreshing import keep_fresh
from davstore.jobs.runner import Runner, Task
from davstore.metadata.database import Database
from davstore.metadata.migrate import HEAD, find_revision, migrate
from davstore.metadata.opening import open_database
from davstore.model.limits import Limits
from davstore.model.rules import Rule
from davstore.model.web_urls import WebUrl
from davstore.policy.groups import list_unknown_groups, list_unknown_members
from davstore.policy.provider import list_unknown
from davstore.rule_sources.file import GroupsFile, PolicyFile
from davstore.rule_sources.url import PolicyUrl, Source
from davstore.settings import Settings
from davstore.store import backups, enrolling, recognising, restoring
from davstore.store.sweeping import has_dead_uploads

FIRST_USER = "me"
WEEK_SECONDS = 7 * 86_400
SWEEP_SECONDS = 3600
JOBS_LOCK = "jobs.lock"

log = logging.getLogger("davstore.directory")
policy_log = logging.getLogger("davstore.policy")


class Storage(NamedTuple):
    """The database and the blobs, opened."""

    database: Database
    blobs: Blobs


def open_storage(settings: Settings, *, adopts: bool = False) -> Storage:
    """Open the store, with the tables up to date; make it where there is none.

    A store that was put back from a copy gets new epochs. adopts: `recognising.recognise`.

    Raises:
        BadSettings: the data directory and the database belong to different stores, or one of them is not there.
    """
    directory = settings.data.path
    require_data_directory(directory)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    storage = _build_storage(settings)
    recognising.set_stale_log_aside(storage.database, directory)
    recognising.is_made(storage.database, directory, storage.blobs, adopts=adopts)
    return _enter(storage, directory, adopts=adopts)


def enter_storage(settings: Settings) -> Storage:
    """Open an existing store as `open_storage` does, for another WSGI server. Raises BadSettings, AlreadyRunning."""
    storage, directory = _find_made(settings), settings.data.path
    _upgrade_unserved(storage.database, directory)
    _enter(storage, directory, adopts=False)
    renew_identity(settings)
    return storage


def find_storage(settings: Settings, *, to_check: bool = False) -> Storage:
    """Open the store for a command that reads or changes rows: a directory is neither made nor joined to a database.

    Raises:
        BadSettings: there is no store, or the data directory and the database belong to different ones; a database
            that has lost the row that names it is opened to check it.
        AlreadyRunning: a `serve` uses tables of an older davstore.
    """
    storage = _find_made(settings)
    try:
        _upgrade_unserved(storage.database, settings.data.path)
        recognising.require_match(storage.database, settings.data.path, storage.blobs, to_check=to_check)
    except DavstoreError:
        storage.database.close()
        raise
    return storage


def _build_storage(settings: Settings) -> Storage:
    directory = settings.data.path
    return Storage(open_database(settings.database.url, directory), LocalBlobs(directory / "blobs"))


def _find_made(settings: Settings) -> Storage:
    storage, directory = _build_storage(settings), settings.data.path
    require_data_directory(directory)
    recognising.set_stale_log_aside(storage.database, directory)
    if not directory.is_dir() or not recognising.is_made(storage.database, directory, storage.blobs):
        raise BadSettings(f"data.path: {directory}: no store here; `davstore init` makes one, and so does `serve`")
    return storage


def _upgrade_unserved(database: Database, directory: Path) -> None:
    """Bring tables up to date. Raises AlreadyRunning: a `serve` uses the older ones, and would answer 500 then."""
    found = find_revision(database)
    if found is None or found >= HEAD:
        migrate(database)
        return
    with identity.hold(directory), serving.take(directory):  # another command may be at it, or a `serve` begin
        migrate(database)


def _enter(storage: Storage, directory: Path, *, adopts: bool) -> Storage:
    with identity.hold(directory):  # gunicorn's workers start all at once
        migrate(storage.database)
    numbers = Numbers(directory)
    try:
        recognising.recognise(storage.database, directory, numbers, storage.blobs, adopts=adopts)
    finally:
        numbers.close()
    return storage


def open_policy(settings: Settings) -> PolicyFile | PolicyUrl:
    """Read the provider's policy, that of a URL from its copy. Raises BadSettings: a file is not there or wrong."""
    name = settings.policy.file
    return PolicyUrl(_find_source(settings)) if settings.policy.url else PolicyFile(Path(name) if name else None)


def _find_source(settings: Settings) -> Source:
    policy = settings.policy
    url, refuses = WebUrl.parse(policy.url), policy.when_away == "refuse"
    return Source(settings.data.path, url, policy.refresh_seconds, refuses)


def name_policy(settings: Settings) -> str:
    """Return the source of the provider's policy as it is shown; '': there is none."""
    policy = settings.policy
    return WebUrl.parse(policy.url).shown if policy.url else policy.file


def read_policy(settings: Settings) -> tuple[Rule, ...]:
    """Return the provider's rules as their source has them now: those of a URL are fetched.

    Raises:
        BadSettings: they are not there or wrong. Unavailable: the URL does not answer.
    """
    if not settings.policy.url:
        return open_policy(settings).rules()
    from davstore.rule_sources.fetching import fetch_rules  # a server whose rules are in a file needs no HTTP client

    return fetch_rules(WebUrl.parse(settings.policy.url))


def open_groups(settings: Settings) -> GroupsFile:
    """Read the groups of users. Raises BadSettings: the file is not there or wrong."""
    name = settings.principals.file
    return GroupsFile(Path(name) if name else None)


def list_unknown_names(settings: Settings, rules: Sequence[Rule]) -> list[str]:
    """Return a line for each rule on groups, users and devices that do not exist, and for each such member of a group.

    Users and devices are not looked up where there is no store. Raises BadSettings: the groups are wrong.
    """
    groups = open_groups(settings).content()
    unknown = list_unknown_groups(rules, groups)
    if not rules and not groups:
        return unknown
    try:
        database = find_storage(settings).database
    except BadSettings:
        return unknown
    except Unavailable as error:
        return [*unknown, f"users and devices were not looked up: {error}"]
    with contextlib.closing(database):
        names = enrolling.list_names(database)
        return [*unknown, *list_unknown(rules, names), *list_unknown_members(groups, names)]


def log_policy(settings: Settings) -> None:
    """Log which policy is in force, and which groups. Raises BadSettings: they are not there or wrong."""
    if settings.principals.file:
        count = len(open_groups(settings).content())
        policy_log.info("%s: %d groups in force", settings.principals.file, count)
    name = name_policy(settings)
    try:
        rules = open_policy(settings).rules()
    except Unavailable as error:
        policy_log.warning("%s", error)
        return
    if not name:
        policy_log.warning("no policy file: every device may synchronise everything at any time")
        return
    policy_log.info("%s: %d rules in force", name, len(rules))
    for line in list_unknown_names(settings, rules):
        policy_log.warning("%s: %s", name, line)


def require_data_directory(directory: Path) -> None:
    """Raise BadSettings when a directory holds a backup, or a restore that did not come to its end."""
    backups.refuse_backup(directory)
    if (directory / restoring.STAGED).exists():
        raise BadSettings(
            f"data.path: {directory}: a restore did not come to its end; run davstore restore again, or remove"
            f" {restoring.STAGED} there to go on with what was before"
        )


class FirstUser(NamedTuple):
    """The user that the first start makes, with the password that is shown once."""

    name: str
    password: str


def prepare_store(settings: Settings, *, adopts: bool = False) -> FirstUser | None:
    """Open the store as `open_storage` does; in an empty one make the first user. Leaves no handle open.

    Raises:
        BadSettings: also when a file of rules or groups is missing or wrong, which a worker could not report as well.
    """
    open_policy(settings)
    open_groups(settings)
    database = open_storage(settings, adopts=adopts).database
    with contextlib.closing(database):
        renew_identity(settings)
        if enrolling.list_users(database):
            return None
        first = FirstUser(FIRST_USER, enrolling.new_password())
        enrolling.add_user(database, first.name, first.password, now_us=now_us())
        return first


def renew_identity(settings: Settings) -> None:
    """Write the identity of the data directory anew: a copy made before can be recognised then.

    Where that is not possible, as on a full disk, the old one stays.
    """
    file = open_database(settings.database.url, settings.data.path).file
    try:
        identity.renew_identity(settings.data.path, file)
    except (OSError, BadSettings) as error:
        log.warning("the identity of %s was not renewed: %s", settings.data.path, error)


def sweep(settings: Settings) -> None:
    """Delete the history that no device may ask for any more, and the leftovers of crashed uploads.

    Raises:
        BadSettings: the data directory and the database do not belong together any more; nothing is deleted.
    """
    storage = find_storage(settings)
    with contextlib.closing(storage.database):
        renew_identity(settings)
        sweeping.sweep(
            storage.database,
            storage.blobs,
            settings.data.path,
            now_us=now_us(),
            keep_seconds=settings.sync.history_weeks * WEEK_SECONDS,
            keep_changes=settings.sync.history_changes,
        )


def import_driver(settings: Settings) -> None:
    """Import the database's driver, so that all forked processes share it. Raises BadSettings."""
    _build_storage(settings)


@contextlib.contextmanager
def open_jobs(settings: Settings, bell: Bell) -> Iterator[Runner]:
    """Yield the runner of the jobs of a data directory, once no other process runs them."""
    directory = settings.data.path
    storage = _build_storage(settings)
    with identity.hold(directory, JOBS_LOCK), contextlib.closing(storage.database), _refreshing(settings):
        sweep_ = Task(
            lambda _: sweep(settings),
            id=1,
            every_us=SWEEP_SECONDS * 1_000_000,
            is_wanted=partial(has_dead_uploads, storage.database, storage.blobs),
        )
        reading = Task(lambda held: read_messages(held, *storage, now_us=now_us()))
        tasks = {"sweep": sweep_, READ_MESSAGES: reading}
        yield Runner(storage.database, tasks, bell, clock_us=now_us)


@contextlib.contextmanager
def _refreshing(settings: Settings) -> Iterator[None]:
    """Keep the copy of a policy that is at a URL fresh meanwhile. A fetch under way is not waited for at the end."""
    if not settings.policy.url:
        yield
        return
    from davstore.rule_sources.fetching import Refresher  # as in read_policy

    source, ended = _find_source(settings), threading.Event()
    refresh = Refresher(source).refresh
    threading.Thread(target=keep_fresh, args=[refresh, source.refresh_seconds, ended], daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def build_services(
    settings: Settings, storage: Storage, numbers: Numbers, wake: Callable[[], None] = lambda: None
) -> Services:
    """Build the services of a process from an opened store. wake is that of `Services`."""
    limits = Limits(
        **asdict(settings.limits),
        inline_bytes=settings.storage.inline_bytes,
        sync_rows=settings.sync.rows_per_page,
        devices_per_user=settings.policy.devices_per_user,
    )
    drops_litter = settings.storage.finder_litter == "drop"
    functions = settings.functions.named
    return Services(*storage, limits, drops_litter, note=numbers.note, wake=wake, functions=functions)


@contextlib.contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Yield the services for a command that uses a store as requests do. Raises as `find_storage`."""
    storage, numbers = find_storage(settings), Numbers(settings.data.path)
    with contextlib.closing(storage.database), contextlib.closing(numbers):
        yield build_services(settings, storage, numbers)
