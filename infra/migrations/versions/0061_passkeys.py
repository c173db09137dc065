"""passkeys: public keys that members sign in with, and the challenges that were answered

Expand only: the previous release does not know the tables.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0061'
down_revision = '0060'
branch_labels = None
depends_on = None

TABLES = ('passkeys', 'spent_challenges')


def upgrade() -> None:
    op.create_table('passkeys',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('member_id', sa.String(length=26), nullable=False),
    sa.Column('host', sa.String(length=253), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('credential_id', sa.String(length=1364), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('sign_count', sa.BigInteger(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('used_at', UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_passkeys_tenant_id', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'member_id'], ['members.tenant_id', 'members.id'],
                            name='fk_passkeys_tenant_id_member_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name='pk_passkeys'),
    sa.UniqueConstraint('tenant_id', 'credential_id', name='uq_passkeys_tenant_id_credential_id'),
    )
    op.create_index('ix_passkeys_member', 'passkeys', ['tenant_id', 'member_id'])
    op.create_table('spent_challenges',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('spent_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_spent_challenges_tenant_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'sha256', name='pk_spent_challenges'),
    )
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
