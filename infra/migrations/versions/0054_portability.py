"""portability: exports of a tenant, and what an import has brought in

Tables of their own: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate

revision = '0054'
down_revision = '0053'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('exports',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('leased_until', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('missing', sa.Integer(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('created_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.Column('ready_at', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.Column('expires_at', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_exports_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_exports')),
    )
    op.create_index('ix_exports_state', 'exports', ['state', 'leased_until'])
    op.create_table('imported',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.Column('asset_id', sa.String(length=26), nullable=True),
    sa.Column('created_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_imported_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'],
                            name=op.f('fk_imported_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'asset_id'], ['assets.tenant_id', 'assets.id'],
                            name=op.f('fk_imported_tenant_id_asset_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'key', name=op.f('pk_imported')),
    )
    op.create_index('ix_imported_album', 'imported', ['tenant_id', 'album_id'])
    op.create_index('ix_imported_asset', 'imported', ['tenant_id', 'asset_id'])
    if op.get_bind().dialect.name == 'postgresql':
        for table in ('exports', 'imported'):
            isolate(table)
            force(table)


def downgrade() -> None:
    op.drop_table('imported')
    op.drop_table('exports')
