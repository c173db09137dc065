"""api: tokens, kept answers of requests with an Idempotency-Key, and alternative texts of assets

New tables, and a column with a default: the previous release serves on without noticing.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate

revision = '0052'
down_revision = '0050'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('api_tokens',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('prefix', sa.String(length=16), nullable=False),
    sa.Column('secret_sha256', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('made_by', sa.String(length=254), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_api_tokens_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('tenant_id', 'prefix', name=op.f('uq_api_tokens_tenant_id_prefix')),
    )
    op.create_table('api_answers',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('token_id', sa.String(length=26), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('request_sha256', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_api_answers_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'token_id', 'key', name=op.f('pk_api_answers')),
    )
    op.create_index('ix_api_answers_created', 'api_answers', ['tenant_id', 'created_at'], unique=False)
    op.add_column('assets', sa.Column('alt', sa.Text(), server_default='', nullable=False))
    if op.get_bind().dialect.name == 'postgresql':
        for table in ('api_tokens', 'api_answers'):
            isolate(table)
            force(table)


def downgrade() -> None:
    op.drop_column('assets', 'alt')
    op.drop_index('ix_api_answers_created', table_name='api_answers')
    op.drop_table('api_answers')
    op.drop_table('api_tokens')
