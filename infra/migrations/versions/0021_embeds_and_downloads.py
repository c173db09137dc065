"""embeds and downloads: embed_grants, download_lists, and CRC-32s of what archives are made of

Two tables that the previous release does not know, and two nullable columns that its inserts leave out.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate, open_up
from infra.sql import UtcDateTime

revision = '0021'
down_revision = '0018'
branch_labels = None
depends_on = None

TABLES = ('embed_grants', 'download_lists')


def upgrade() -> None:
    op.create_table('embed_grants',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('key', sa.String(length=22), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=True),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('origins', sa.Text(), nullable=False),
    sa.Column('revoked_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'], name=op.f('fk_embed_grants_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_embed_grants_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_embed_grants')),
    sa.UniqueConstraint('key', name=op.f('uq_embed_grants_key')),
    )
    op.create_index('ix_embed_grants_album', 'embed_grants', ['tenant_id', 'album_id'])
    op.create_table('download_lists',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.Column('asset_ids', sa.Text(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'], name=op.f('fk_download_lists_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_download_lists_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_download_lists')),
    )
    op.create_index('ix_download_lists_created', 'download_lists', ['tenant_id', 'created_at'])
    op.add_column('assets', sa.Column('crc32', sa.BigInteger(), nullable=True))
    op.add_column('renditions', sa.Column('crc32', sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    with op.batch_alter_table('renditions', schema=None) as batch_op:
        batch_op.drop_column('crc32')
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.drop_column('crc32')
    for table in reversed(TABLES):
        if op.get_bind().dialect.name == 'postgresql':
            open_up(table)
        op.drop_table(table)
