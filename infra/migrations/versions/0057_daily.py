"""daily: files moved between albums, turned by hand, and gone from the trash before their time

Tables of their own, and columns with a default or without a value: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate

revision = '0057'
down_revision = '0056'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('asset_moves',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.Column('asset_id', sa.String(length=26), nullable=False),
    sa.Column('moved_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_asset_moves_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(
        ['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'],
        name=op.f('fk_asset_moves_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(
        ['tenant_id', 'asset_id'], ['assets.tenant_id', 'assets.id'],
        name=op.f('fk_asset_moves_tenant_id_asset_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'album_id', 'asset_id', name=op.f('pk_asset_moves')),
    )
    op.create_index('ix_asset_moves_asset', 'asset_moves', ['tenant_id', 'asset_id'])
    op.add_column('assets', sa.Column('turn', sa.Integer(), server_default='0', nullable=False))
    op.add_column('assets', sa.Column('emptied_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('albums', sa.Column('emptied_at', sa.DateTime(timezone=True), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        isolate('asset_moves')
        force('asset_moves')


def downgrade() -> None:
    # SQLite drops a column that no index and no key has without making the table anew, so the triggers of 0050 stay.
    op.drop_column('albums', 'emptied_at')
    op.drop_column('assets', 'emptied_at')
    op.drop_column('assets', 'turn')
    op.drop_table('asset_moves')
