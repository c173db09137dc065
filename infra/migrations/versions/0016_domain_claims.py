"""domain claims, primary hosts, purges of the edge, an index of what was deleted

Adds only: the previous release serves verified domains from `domains` as before.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate, open_up

revision = '0016'
down_revision = '0014'
branch_labels = None
depends_on = None

TABLES = ('domain_claims', 'edge_purges')
DELETED = sa.text('deleted_at IS NOT NULL')


def upgrade() -> None:
    op.create_table('domain_claims',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('host', sa.String(length=253), nullable=False),
    sa.Column('token', sa.String(length=43), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('vouched', sa.Boolean(), nullable=False),
    sa.Column('on_edge', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('about', sa.String(length=300), nullable=False),
    sa.Column('created_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.Column('proved_at', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.Column('missing_since', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.Column('checked_at', infra.sql.UtcDateTime(timezone=True), nullable=True),
    sa.Column('next_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_domain_claims_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'host', name=op.f('pk_domain_claims'))
    )
    with op.batch_alter_table('domain_claims', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_domain_claims_next_at'), ['next_at'], unique=False)
    op.create_table('edge_purges',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('hosts', sa.JSON(), nullable=False),
    sa.Column('paths', sa.JSON(), nullable=False),
    sa.Column('created_at', infra.sql.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_edge_purges_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_edge_purges'))
    )
    op.add_column('tenants', sa.Column('primary_host', sa.String(length=253), nullable=True))
    op.add_column('tenants', sa.Column('redirect_to_primary', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.create_index('ix_assets_deleted', ['tenant_id', 'album_id', 'deleted_at'], unique=False,
                              sqlite_where=DELETED, postgresql_where=DELETED)
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)
        # What follows is about every tenant's rows.
        op.execute("SELECT set_config('vitrine.across', 'on', true)")
    _adopt()


def _adopt() -> None:
    """Domains from before claims were the operator's word. Their tokens are never asked for."""
    op.execute("""
        INSERT INTO domain_claims (tenant_id, host, token, state, vouched, on_edge, reason, about, created_at,
                                   proved_at, next_at)
        SELECT tenant_id, host, '', 'verified', true, false, '', '', created_at, verified_at, created_at
        FROM domains WHERE verified_at IS NOT NULL
    """)


def downgrade() -> None:
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            open_up(table)
    with op.batch_alter_table('assets', schema=None) as batch_op:
        batch_op.drop_index('ix_assets_deleted')
    op.drop_column('tenants', 'redirect_to_primary')
    op.drop_column('tenants', 'primary_host')
    op.drop_table('edge_purges')
    op.drop_table('domain_claims')
