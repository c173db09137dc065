"""soft budgets: what happens when one is reached, whom a letter told of it, and which pictures were made leaner

Expand only. The previous release measures budgets on a page and does nothing about them: its default is the same.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0064'
down_revision = '0063'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('budgets', sa.Column('reach', sa.String(length=8), nullable=False, server_default='tell'))
    op.add_column('budgets', sa.Column('seen_until', UtcDateTime(timezone=True), nullable=True))
    # Plain ADD COLUMN on both databases: a table made anew would lose the triggers of 0050.
    op.add_column('tenants', sa.Column('over_budget', sa.String(length=8), nullable=True))
    op.add_column('tenants', sa.Column('over_budget_month', sa.String(length=7), nullable=True))
    op.add_column('assets', sa.Column('lean', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index('ix_assets_lean', 'assets', ['tenant_id', 'id'], sqlite_where=sa.text('lean'),
                    postgresql_where=sa.text('lean'))
    op.create_table(
        'budget_letters',
        sa.Column('tenant_id', sa.String(length=26), nullable=False),
        sa.Column('month', sa.String(length=7), nullable=False),
        sa.Column('mark', sa.String(length=8), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.Column('member_id', sa.String(length=26), nullable=False),
        sa.Column('total', sa.BigInteger(), nullable=False),
        sa.Column('forecast', sa.BigInteger(), nullable=False),
        sa.Column('currency', sa.String(length=3), nullable=False),
        sa.Column('reach', sa.String(length=8), nullable=False),
        sa.Column('noticed_at', UtcDateTime(timezone=True), nullable=False),
        sa.Column('claimed_until', UtcDateTime(timezone=True), nullable=True),
        sa.Column('sent_at', UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_budget_letters_tenant_id', ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['tenant_id', 'member_id'], ['members.tenant_id', 'members.id'],
                                name='fk_budget_letters_tenant_id_member_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('tenant_id', 'month', 'mark', 'amount', 'member_id', name='pk_budget_letters'),
    )
    op.create_index('ix_budget_letters_unsent', 'budget_letters', ['noticed_at'],
                    sqlite_where=sa.text('sent_at IS NULL'), postgresql_where=sa.text('sent_at IS NULL'))
    if op.get_bind().dialect.name == 'postgresql':
        isolate('budget_letters')
        force('budget_letters')


def downgrade() -> None:
    op.drop_table('budget_letters')
    op.drop_index('ix_assets_lean', 'assets')
    op.drop_column('assets', 'lean')
    for table, column in (('tenants', 'over_budget_month'), ('tenants', 'over_budget'), ('budgets', 'seen_until'),
                          ('budgets', 'reach')):
        op.drop_column(table, column)
