"""rendition_use: what has been told of the renditions of each asset; ledger_heads: their level, and when they were seen

Expand only. The previous release moves a head without its new columns, which then are as they were.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0067'
down_revision = '0066'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'rendition_use',
        sa.Column('tenant_id', sa.String(length=26), nullable=False),
        sa.Column('asset_id', sa.String(length=26), nullable=False),
        sa.Column('album_id', sa.String(length=26), nullable=True),
        sa.Column('size', sa.BigInteger(), nullable=False),
        sa.Column('turn', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_rendition_use_tenant_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('tenant_id', 'asset_id', name='pk_rendition_use'),
    )
    op.add_column('ledger_heads', sa.Column('rendition_level', sa.BigInteger(), nullable=False, server_default='0'))
    op.add_column('ledger_heads', sa.Column('rendition_edition', sa.BigInteger(), nullable=False, server_default='-1'))
    op.add_column('ledger_heads', sa.Column('rendition_looked_at', UtcDateTime(timezone=True), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        isolate('rendition_use')
        force('rendition_use')


def downgrade() -> None:
    for column in ('rendition_looked_at', 'rendition_edition', 'rendition_level'):
        op.drop_column('ledger_heads', column)
    op.drop_table('rendition_use')
