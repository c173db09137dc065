"""stripe: billing accounts, subscriptions as last read, webhooks, and how a tenant stands with its bill

Expand only: the previous release leaves `standing` at its default, and the tables alone.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate, open_up
from infra.sql import UtcDateTime

revision = '0034'
down_revision = '0030'
branch_labels = None
depends_on = None

TABLES = ('billing_accounts', 'subscriptions')


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=nullable)


def text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def upgrade() -> None:
    op.create_table('billing_accounts', text('tenant_id', 26), text('customer', 64),
    sa.Column('asked', sa.BigInteger(), nullable=False), sa.Column('applied', sa.BigInteger(), nullable=False),
    moment('created_at'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_billing_accounts_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'customer', name=op.f('pk_billing_accounts')),
    sa.UniqueConstraint('tenant_id', name=op.f('uq_billing_accounts_tenant_id')),
    sa.UniqueConstraint('customer', name=op.f('uq_billing_accounts_customer')),
    )
    op.create_table('subscriptions', text('tenant_id', 26), text('id', 64), text('plan', 32), text('status', 24),
    moment('created_at'), moment('trial_end', nullable=True), moment('period_start', nullable=True),
    moment('period_end', nullable=True), sa.Column('ends_with_period', sa.Boolean(), nullable=False), moment('read_at'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_subscriptions_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_subscriptions')),
    )
    op.create_table('stripe_events', text('id', 255), text('type', 100), text('about', 255), text('customer', 64),
    text('named', 26), moment('created_at'), moment('received_at'), text('outcome', 8), text('why', 200),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stripe_events')),
    )
    op.create_index('ix_stripe_events_outcome', 'stripe_events', ['outcome', 'received_at'])
    op.add_column('tenants', sa.Column('standing', sa.String(length=16), nullable=False, server_default='good'))
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    with op.batch_alter_table('tenants', schema=None) as batch_op:
        batch_op.drop_column('standing')
    op.drop_table('stripe_events')
    for table in reversed(TABLES):
        if op.get_bind().dialect.name == 'postgresql':
            open_up(table)
        op.drop_table(table)
