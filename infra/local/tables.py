"""Tables of the embedded adapters. They belong to infrastructure and know no tenant: only opaque names."""

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table

from infra.sql import UtcDateTime

metadata = MetaData()

# One row a message, dead letters included. `visible_at` is when a receiver may next have it.
queue_messages = Table(
    "queue_messages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("body", JSON, nullable=False),
    Column("group_name", String(64), nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("visible_at", UtcDateTime, nullable=False),
    Column("receives", Integer, nullable=False, default=0),
    Column("receipt", String(64)),
    Column("dead_at", UtcDateTime),
    Index("queue_messages_due", "dead_at", "visible_at", "id"),
    Index("queue_messages_turns", "dead_at", "group_name", "visible_at", "id"),
)

kv_attributes = Table(
    "kv_attributes",
    metadata,
    Column("item", String(512), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", String(1024), nullable=False),
)

metric_points = Table(
    "metric_points",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("value", Float, nullable=False),
    Column("unit", String(32), nullable=False),
    Column("dimensions", JSON, nullable=False),
    Index("metric_points_window", "name", "at"),
)
