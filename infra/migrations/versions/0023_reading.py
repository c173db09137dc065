"""reading: tags, the index of words that search reads, albums within albums

Tables only: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate

revision = '0023'
down_revision = '0021'
branch_labels = None
depends_on = None

TABLES = ('asset_tags', 'asset_words', 'album_parents')
WORD = sa.String(length=40).with_variant(sa.String(length=40, collation='C'), 'postgresql')


def upgrade() -> None:
    op.create_table('asset_tags',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('asset_id', sa.String(length=26), nullable=False),
    sa.Column('word', sa.String(length=40), nullable=False),
    sa.Column('label', sa.String(length=39), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_asset_tags_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'asset_id'], ['assets.tenant_id', 'assets.id'],
                            name=op.f('fk_asset_tags_tenant_id_asset_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'asset_id', 'word', name=op.f('pk_asset_tags'))
    )
    op.create_table('asset_words',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('word', WORD, nullable=False),
    sa.Column('taken_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.Column('asset_id', sa.String(length=26), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_asset_words_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'asset_id'], ['assets.tenant_id', 'assets.id'],
                            name=op.f('fk_asset_words_tenant_id_asset_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'word', 'taken_at', 'asset_id', name=op.f('pk_asset_words')),
    sqlite_with_rowid=False,
    )
    op.create_index('ix_asset_words_asset', 'asset_words', ['tenant_id', 'asset_id', 'word'], unique=False)
    op.create_table('album_parents',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('album_id', sa.String(length=26), nullable=False),
    sa.Column('parent_id', sa.String(length=26), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_album_parents_tenant_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'album_id'], ['albums.tenant_id', 'albums.id'],
                            name=op.f('fk_album_parents_tenant_id_album_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'parent_id'], ['albums.tenant_id', 'albums.id'],
                            name=op.f('fk_album_parents_tenant_id_parent_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'album_id', name=op.f('pk_album_parents'))
    )
    op.create_index('ix_album_parents_parent', 'album_parents', ['tenant_id', 'parent_id'], unique=False)
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
