"""deliveries: access logs of the edge that were read, and what they add up to by the hour

Expand only: the previous release does not know the tables.
"""

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = '0060'
down_revision = '0059'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('delivery_logs',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('read_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('lines', sa.BigInteger(), nullable=False),
    sa.Column('billed', sa.BigInteger(), nullable=False),
    sa.Column('unclaimed', sa.BigInteger(), nullable=False),
    sa.Column('why', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_delivery_logs')),
    )
    op.create_index('ix_delivery_logs_read', 'delivery_logs', ['read_at'])
    op.create_table('delivery_hours',
    sa.Column('hour', UtcDateTime(timezone=True), nullable=False),
    sa.Column('logged', sa.BigInteger(), nullable=False),
    sa.Column('downloaded', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('hour', name=op.f('pk_delivery_hours')),
    )


def downgrade() -> None:
    op.drop_table('delivery_hours')
    op.drop_table('delivery_logs')
