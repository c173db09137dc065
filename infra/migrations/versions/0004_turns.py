"""turns: find each group's oldest message, and a tenant's unfinished assets, without reading past the others

Indexes only: the previous release serves on without noticing.
"""

from alembic import op
from sqlalchemy import text

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

UNFINISHED = text("state IN ('received', 'processing', 'viewable')")


def upgrade() -> None:
    with op.batch_alter_table('queue_messages', schema=None) as batch_op:
        batch_op.create_index('queue_messages_turns', ['dead_at', 'group_name', 'visible_at', 'id'], unique=False)
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.create_index('ix_assets_unfinished', ['tenant_id', 'id'], unique=False,
                              sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)


def downgrade() -> None:
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.drop_index('ix_assets_unfinished')
    with op.batch_alter_table('queue_messages', schema=None) as batch_op:
        batch_op.drop_index('queue_messages_turns')
