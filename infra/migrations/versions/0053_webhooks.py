"""webhooks: endpoints of tenants, messages, and their deliveries

New tables: the previous release serves on without noticing, and what it changes is told to nobody.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate

revision = '0053'
down_revision = '0052'
branch_labels = None
depends_on = None

TABLES = ('webhook_endpoints', 'webhook_messages', 'webhook_deliveries')


def upgrade() -> None:
    op.create_table('webhook_endpoints',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('url', sa.String(length=2000), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('events', sa.JSON(), nullable=False),
    sa.Column('sealed_secret', sa.Text(), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('disabled_why', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_webhook_endpoints_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_webhook_endpoints')),
    )
    op.create_table('webhook_messages',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('event', sa.String(length=40), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_webhook_messages_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_webhook_messages')),
    )
    op.create_index(op.f('ix_webhook_messages_created_at'), 'webhook_messages', ['created_at'], unique=False)
    op.create_table('webhook_deliveries',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('endpoint_id', sa.String(length=26), nullable=False),
    sa.Column('message_id', sa.String(length=26), nullable=False),
    sa.Column('event', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_status', sa.Integer(), nullable=True),
    sa.Column('last_error', sa.String(length=300), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'endpoint_id'], ['webhook_endpoints.tenant_id', 'webhook_endpoints.id'], name=op.f('fk_webhook_deliveries_tenant_id_endpoint_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'message_id'], ['webhook_messages.tenant_id', 'webhook_messages.id'], name=op.f('fk_webhook_deliveries_tenant_id_message_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_webhook_deliveries_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_webhook_deliveries')),
    )
    op.create_index('ix_webhook_deliveries_due', 'webhook_deliveries', ['state', 'next_at'], unique=False)
    op.create_index('ix_webhook_deliveries_message', 'webhook_deliveries', ['tenant_id', 'message_id'], unique=False)
    op.create_index('ix_webhook_deliveries_endpoint', 'webhook_deliveries', ['tenant_id', 'endpoint_id', 'id'], unique=False)
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
