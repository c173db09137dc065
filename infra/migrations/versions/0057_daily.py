"""daily: files moved between albums, turned by hand, gone from the trash before their time; visits counted by day

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
    op.add_column('tenants', sa.Column('guide_hidden', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table('visit_counts',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('what', sa.String(length=10), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('about', sa.String(length=100), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_visit_counts_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'what', 'day', 'about', name=op.f('pk_visit_counts')),
    )
    op.create_index('ix_visit_counts_day', 'visit_counts', ['tenant_id', 'day'])
    op.create_table('visit_salts',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('salt', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_visit_salts_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'day', name=op.f('pk_visit_salts')),
    )
    op.create_table('visit_marks',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('about', sa.String(length=26), nullable=False),
    sa.Column('mark', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_visit_marks_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'day', 'about', 'mark', name=op.f('pk_visit_marks')),
    )
    if op.get_bind().dialect.name == 'postgresql':
        for table in ('asset_moves', 'visit_counts', 'visit_salts', 'visit_marks'):
            isolate(table)
            force(table)


def downgrade() -> None:
    # SQLite drops a column that no index and no key has without making the table anew, so the triggers of 0050 stay.
    op.drop_column('tenants', 'guide_hidden')
    op.drop_column('albums', 'emptied_at')
    op.drop_column('assets', 'emptied_at')
    op.drop_column('assets', 'turn')
    for table in ('visit_marks', 'visit_salts', 'visit_counts', 'asset_moves'):
        op.drop_table(table)
