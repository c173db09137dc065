"""erasure: what remains of tenants that were erased, and requests of people in photos to be hidden

Tables of their own: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate

revision = '0055'
down_revision = '0054'
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = infra.sql.UtcDateTime(timezone=True)
    op.create_table('erasures',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('tenant_id', sa.String(length=26), nullable=True),
    sa.Column('subject', sa.String(length=64), nullable=False),
    sa.Column('asked_by', sa.String(length=16), nullable=False),
    sa.Column('state_before', sa.String(length=16), nullable=False),
    sa.Column('requested_at', moment, nullable=False),
    sa.Column('due_at', moment, nullable=False),
    sa.Column('cancelled_at', moment, nullable=True),
    sa.Column('begun_at', moment, nullable=True),
    sa.Column('erased_at', moment, nullable=True),
    sa.Column('receipt', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_erasures')),
    )
    op.create_index('ix_erasures_due', 'erasures', ['erased_at', 'due_at'])
    op.create_index('ix_erasures_tenant_id', 'erasures', ['tenant_id'])
    op.create_table('hide_requests',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.Column('asset_id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('contact', sa.String(length=254), nullable=False),
    sa.Column('text', sa.String(length=1000), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('answered_by', sa.String(length=254), nullable=False),
    sa.Column('created_at', moment, nullable=False),
    sa.Column('answered_at', moment, nullable=True),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_hide_requests_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'],
                            name=op.f('fk_hide_requests_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'asset_id'], ['assets.tenant_id', 'assets.id'],
                            name=op.f('fk_hide_requests_tenant_id_asset_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_hide_requests')),
    )
    op.create_index('ix_hide_requests_asset', 'hide_requests', ['tenant_id', 'asset_id'])
    op.create_index('ix_hide_requests_state', 'hide_requests', ['tenant_id', 'state', 'id'])
    if op.get_bind().dialect.name == 'postgresql':
        isolate('hide_requests')
        force('hide_requests')


def downgrade() -> None:
    op.drop_table('hide_requests')
    op.drop_table('erasures')
