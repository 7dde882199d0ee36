"""One serving process: takes connections until it is ordered to stop.

It ends with the supervisor, and leaves on its order: no new requests then, those in flight get the shutdown
timeout.
"""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from davstore import application_wiring
from davstore.jobs.bell import Bell
from davstore.model.networks import find_address
from davstore.server.child import Control
from davstore.server.crowds import Crowd
from davstore.server.limits import Limits
from davstore.server.loop import Server
from davstore.settings import Settings

BACKLOG = 1024
"""Connections that wait for a worker while all are busy or one is being started."""


class Orders(NamedTuple):
    """The parameters of one worker. key is shared by all; core is the CPU it is bound to; crowd counts connections."""

    settings: Settings
    key: bytes
    core: int | None
    crowd: Crowd


def build_server(
    settings: Settings,
    listener: socket.socket,
    *,
    crowd: Crowd | None = None,
    key: bytes | None = None,
    wake: Callable[[], None] = lambda: None,
) -> Server:
    """Build the server of one worker; it takes its connections from a socket that it shares with its siblings.

    key and wake are those of `application_wiring.build_application`.
    """
    limits = settings.server
    return Server(
        listener.getsockname()[:2],
        application_wiring.build_application(settings, key=key, wake=wake),
        listener=listener,
        crowd=crowd,
        is_proxy=lambda address: limits.proxies.holds(find_address(address)),
        limits=Limits(
            idle_seconds=limits.idle_timeout_seconds,
            body_seconds=limits.body_timeout_seconds,
            head_bytes=limits.max_header_bytes,
        ),
        max_connections=limits.max_connections,
        numthreads=limits.threads,
        shutdown_timeout=limits.shutdown_timeout_seconds,
    )


def work(orders: Orders, listener: socket.socket, bell: Bell, control: Control) -> None:
    """Serve as ordered."""
    if orders.core is not None:
        os.sched_setaffinity(0, {orders.core})
    _allow_files()
    server = build_server(orders.settings, listener, crowd=orders.crowd, key=orders.key, wake=bell.ring)
    prepared = threading.Event()

    def leave() -> None:
        prepared.wait()
        server.stop()

    control.obey(leave)
    server.prepare()
    prepared.set()
    control.say_ready()
    server.serve()


def _allow_files() -> None:
    """Take as many file descriptors as this machine gives: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
