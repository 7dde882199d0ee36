"""The application of requests, built and joined: all layers above the store, which other commands need not load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from davstore.blobs.local import LocalBlobs
from davstore.dav.dispatch import allowing, list_methods
from davstore.dav.kinds import offer_with
from davstore.dav.wsgidav.app import build_dav
from davstore.directory.numbers import Numbers
from davstore.engine.context import Services
from davstore.errors import Unavailable
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.middleware.access_log import AccessLog
from davstore.middleware.auth import Authentication
from davstore.middleware.boundary import Boundary
from davstore.middleware.health import Health
from davstore.middleware.origins import OtherOrigins
from davstore.middleware.places import Places
from davstore.middleware.sync_gate import SyncGate
from davstore.middleware.well_known import WellKnown
from davstore.model.functions import Function
from davstore.settings import Settings
from davstore.store import reading, sharing
from davstore.store.authenticating import Authenticator
from davstore.store.gating import Gate
from davstore.store.grouping import acquaint
from davstore.store.hashing import Passwords
from davstore.web.app import Pages
from davstore.web.refusals import render_refusal
from davstore.wiring import Storage, build_services, open_groups, open_policy, require_data_directory

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def build_application(
    settings: Settings, *, key: bytes | None = None, wake: Callable[[], None] = lambda: None
) -> WSGIApplication:
    """Build the WSGI application of one process. Handles to the database open on first use, after any fork.

    Applications with the same key share the passwords that were proven. wake is that of `Services`.
    """
    directory = settings.data.path
    require_data_directory(directory)
    database = open_database(settings.database.url, directory)
    throttle = Throttle(
        directory / "throttle.sqlite",
        failures_before_delay=settings.auth.failures_before_delay,
        delay_seconds=settings.auth.delay_seconds,
    )
    policy = open_policy(settings)
    storage = Storage(database, LocalBlobs(directory / "blobs"))
    groups, rules = open_groups(settings), settings.policy
    services = build_services(settings, storage, Numbers(directory), wake)
    services = replace(services, rules=policy.rules, groups=groups.of, members_of=groups.members_of)
    functions, dav = services.functions, build_dav(services)
    faces = Pages(dav, services) if Function.PAGES in functions else dav
    gated = SyncGate(
        faces,
        Gate(policy.rules, throttle, database, groups.of),
        requires_device=rules.require_device,
        strict_depth=settings.sync.strict_depth,
        without=offer_with(functions).reports_without,
    )
    inner = Authentication(_places(gated, services), Authenticator(database, throttle, Passwords(), key=key))

    def check() -> None:
        if not directory.is_dir():
            raise Unavailable(f"no directory {directory}")
        database.read(lambda _unit: None)
        policy.check()
        groups.check()

    health = Health(WellKnown(inner), check)
    realm, proxies = settings.auth.realm, settings.server.proxies
    pages = render_refusal if Function.PAGES in functions else None
    boundary = Boundary(health, realm=realm, proxies=proxies, pages=pages, allowed=allowing(functions))
    return AccessLog(OtherOrigins(boundary, settings.web.origins, list_methods(functions)))


def _places(application: WSGIApplication, services: Services) -> Places:
    return Places(
        application,
        lambda asker: acquaint(services, asker),
        lambda asker, path: reading.may_know(services.context(asker), path),
        lambda asker: sharing.list_shares(services, asker),
    )
