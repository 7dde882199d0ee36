"""The facts of bodies that are messages (`MessageFacts`). They go with the body, by the foreign key."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, PrimaryKeyConstraint, Text, func, literal_column

from davstore.metadata.tables.columns import index, number, small, table

message = table(
    "message",
    number("store_id"),
    number("body_id"),
    small("kind"),  # a `ResourceType`
    number("date_us"),
    *(
        Column(name, Text)
        for name in (
            "from",
            "to",
            "cc",
            "bcc",
            "subject",
            "message_id",
            "in_reply_to",
            "references",
            "conversation_id",
            "contribution_id",
            "in_reply_to_contribution_id",
            "imdn_message_id",
            "message_context",
            "direction",
            "message_correlator",
            "p_asserted_service",
            "filename",
        )
    ),
    Column("state_us", BigInteger),  # the time that a group state says, whatever date its message has
    Column("size", BigInteger),
    Column("mime_type", Text),
    Column("preview", Text),
    Column("parts", Text, nullable=False),  # JSON: an array for each `Part`
    PrimaryKeyConstraint("store_id", "body_id"),
    ForeignKeyConstraint(["store_id", "body_id"], ["body.store_id", "body.id"], ondelete="CASCADE"),
)
# the answers to a message; an index of PostgreSQL takes no longer text, and no id is that long
index("message_answers", message.c.store_id, message.c.in_reply_to, where="length(in_reply_to) <= 500")
# the messages that a notification tells of
index("message_imdn", message.c.store_id, message.c.imdn_message_id, where="length(imdn_message_id) <= 255")

disposition = table(  # by the id of a message, which may come later
    "disposition",
    number("store_id"),
    Column("imdn_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    small("type"),
    small("status"),
    number("at_us"),
    small("waits"),  # no message of that id was there
    number("since_us"),  # when it came, or when its message was last seen to be there
    PrimaryKeyConstraint("store_id", "imdn_id", "recipient", "type"),
    keyed=True,
)
# those whose message the sweep looks for
index("disposition_since", disposition.c.store_id, disposition.c.since_us)
# how many wait: no more than may
index("disposition_waiting", disposition.c.store_id, where="waits = 1")
START_CHARACTERS: Final = 200
"""Characters of a conversation id that are in an index: PostgreSQL's take no long text."""
CONVERSATION_START: Final = func.substr(
    message.c.conversation_id, literal_column("1"), literal_column(str(START_CHARACTERS))
)
# the session info objects of a conversation
index("message_sessions", message.c.store_id, CONVERSATION_START, where="kind = 4")
