"""watermarks: the mark of a tenant, who sees it, and which photos have it; what of an original tells its place

Columns without a value, or with the default that nothing is marked: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate

revision = '0041'
down_revision = '0037'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('watermarks',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=16), nullable=False),
    sa.Column('source', sa.String(length=8), nullable=False),
    sa.Column('text', sa.String(length=60), nullable=False),
    sa.Column('picture_sha256', sa.String(length=64), nullable=True),
    sa.Column('drawn_sha256', sa.String(length=64), nullable=False),
    sa.Column('position', sa.String(length=8), nullable=False),
    sa.Column('opacity', sa.Integer(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('full', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_watermarks_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'name', name=op.f('pk_watermarks')),
    )
    op.add_column('tenants', sa.Column('marks', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('albums', sa.Column('marks', sa.Boolean(), nullable=True))
    op.add_column('share_links', sa.Column('marks', sa.Boolean(), nullable=True))
    op.add_column('assets', sa.Column('mark', sa.String(length=16), nullable=True))
    op.add_column('assets', sa.Column('blanks', sa.JSON(), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        isolate('watermarks')
        force('watermarks')


def downgrade() -> None:
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.drop_column('blanks')
        batch_op.drop_column('mark')
    for table in ('share_links', 'albums', 'tenants'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('marks')
    op.drop_table('watermarks')
