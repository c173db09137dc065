"""rebuilds: when a lost rendition was asked for again, and the times that `trace` tells

New columns only, all of them nullable: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql

revision = '0012'
down_revision = '0004'
branch_labels = None
depends_on = None

ADDED = {
    'assets': ('claimed_at', 'viewable_at', 'rebuild_asked_at'),
    'uploads': ('received_at', 'finished_at'),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.add_column(sa.Column(column, infra.sql.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table, columns in ADDED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in reversed(columns):
                batch_op.drop_column(column)
