"""budgets: what a tenant means to spend in a month

Expand only: the previous release does not know the table.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0037'
down_revision = '0034'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('budgets',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('period', sa.String(length=8), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('set_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_budgets_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'period', name=op.f('pk_budgets')),
    )
    if op.get_bind().dialect.name == 'postgresql':
        isolate('budgets')
        force('budgets')


def downgrade() -> None:
    op.drop_table('budgets')
