"""The tables, as statements see them; the migrations in `migrations/` make them (docs/adr/0015).

Every table of store content has `store_id` first in its key, so that a store can live anywhere as a whole. Numbers are
change numbers of that store; times are microseconds since the epoch.
"""

from davstore.metadata.tables.access import ace, hidden, lock, viewer
from davstore.metadata.tables.bodies import body, upload
from davstore.metadata.tables.columns import metadata
from davstore.metadata.tables.messages import CONVERSATION_START, START_CHARACTERS, disposition, message
from davstore.metadata.tables.namespace import (
    WEAK,
    binding,
    gone,
    instant,
    keyword,
    node,
    property_,
)
from davstore.metadata.tables.people import (
    DEVICE,
    GROUP,
    LIST,
    SERVICE,
    USER,
    device,
    list_,
    membership,
    principal,
    service,
    user,
)
from davstore.metadata.tables.stores import instance, store, store_root
from davstore.metadata.tables.threads import thread, thread_key, thread_member
from davstore.metadata.tables.views import view
from davstore.metadata.tables.work import job

__all__ = [
    "CONVERSATION_START",
    "DEVICE",
    "GROUP",
    "LIST",
    "SERVICE",
    "START_CHARACTERS",
    "USER",
    "WEAK",
    "ace",
    "binding",
    "body",
    "device",
    "disposition",
    "gone",
    "hidden",
    "instance",
    "instant",
    "job",
    "keyword",
    "list_",
    "lock",
    "membership",
    "message",
    "metadata",
    "node",
    "principal",
    "property_",
    "service",
    "store",
    "store_root",
    "thread",
    "thread_key",
    "thread_member",
    "upload",
    "user",
    "view",
    "viewer",
]
