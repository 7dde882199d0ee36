"""Threads: the conversations of a store, their members, and the ids that lead to each (docs/messages.md)."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Text

from davstore.metadata.tables.columns import index, number, small, table

thread = table(  # its collection is a node, bound in the root of the area of threads
    "thread",
    number("store_id"),
    number("node_id"),
    Column("conversation_id", Text),  # the first that a member said
    number("messages"),  # members of different identities
    number("unread"),  # of those, the ones of which no copy is read
    number("last_us"),  # the newest date of a member
    PrimaryKeyConstraint("store_id", "node_id"),
    keyed=True,
)
# the list of conversations, the newest first
index("thread_last", thread.c.store_id, thread.c.last_us, thread.c.node_id)

thread_member = table(
    "thread_member",
    number("store_id"),
    number("node_id"),
    number("thread_id"),
    number("identity"),  # copies of one message have the same (`policy.threading`)
    number("keys"),  # one number for all ids that it is linked by: it is linked anew when they change
    number("date_us"),
    small("is_read"),  # 0: no; 1: it was seen; 2: the owner sent it
    PrimaryKeyConstraint("store_id", "node_id"),
    keyed=True,
)
# the history of a conversation
index("member_dates", *(thread_member.c[name] for name in ("store_id", "thread_id", "date_us", "node_id")))
# the copies of a message, in a thread and in the whole store
index("member_identity", *(thread_member.c[name] for name in ("store_id", "identity", "thread_id", "is_read")))

thread_key = table(  # ids of messages and of conversations, as numbers; those of merged threads too
    "thread_key",
    number("store_id"),
    number("key"),
    number("thread_id"),
    PrimaryKeyConstraint("store_id", "key"),
    keyed=True,
)
# the ids of one thread, which go with it
index("thread_key_thread", thread_key.c.store_id, thread_key.c.thread_id)
