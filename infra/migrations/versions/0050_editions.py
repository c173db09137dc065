"""editions: a number for each tenant that changes with whatever its public pages show

A table and triggers: the previous release serves on without noticing, and what it writes counts as well.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.editions import WATCHED, end, forget, prepare, watch
from infra.migrations.row_security import force, publish

revision = '0050'
down_revision = '0041'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('editions',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_editions_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', name=op.f('pk_editions'))
    )
    op.execute('INSERT INTO editions (tenant_id, number) SELECT id, 1 FROM tenants')
    if op.get_bind().dialect.name == 'postgresql':
        publish('editions', 'tenant_id')
        force('editions')
    prepare()
    for table in WATCHED:
        watch(table)


def downgrade() -> None:
    for table in WATCHED:
        forget(table)
    end()
    op.drop_table('editions')
