"""people: sessions, invitations, a second factor; and how a tenant is closed and deleted

Expand only. The previous release knows none of it: a session that it begins has no row and is in no list.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0058'
down_revision = '0057'
branch_labels = None
depends_on = None

TABLES = ('member_sessions', 'recovery_codes', 'invitations')


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=nullable)


def text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def owned(table: str, *columns: object) -> None:
    op.create_table(
        table,
        sa.Column('tenant_id', sa.String(length=26), nullable=False),
        text('id', 26),
        *columns,
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=f'fk_{table}_tenant_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('tenant_id', 'id', name=f'pk_{table}'),
    )


def of_member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(['tenant_id', 'member_id'], ['members.tenant_id', 'members.id'],
                                   name=f'fk_{table}_tenant_id_member_id', ondelete='CASCADE')


def upgrade() -> None:
    owned('member_sessions', text('member_id', 26), moment('created_at'), moment('seen_at'), text('agent', 300),
          text('address', 45), of_member('member_sessions'))
    op.create_index('ix_member_sessions_member', 'member_sessions', ['tenant_id', 'member_id'])
    owned('recovery_codes', text('member_id', 26), text('sha256', 64), moment('used_at', nullable=True),
          of_member('recovery_codes'))
    op.create_index('ix_recovery_codes_member', 'recovery_codes', ['tenant_id', 'member_id'])
    owned('invitations', text('email', 254), text('role', 8), text('sha256', 64), text('inviter', 254),
          moment('created_at'), moment('expires_at'), moment('mailed_at', nullable=True),
          sa.UniqueConstraint('tenant_id', 'email', name='uq_invitations_tenant_id_email'),
          sa.UniqueConstraint('tenant_id', 'sha256', name='uq_invitations_tenant_id_sha256'))
    # Plain ADD COLUMN on both databases: a table made anew would lose the triggers of 0050.
    op.add_column('members', sa.Column('totp_sealed', sa.Text(), nullable=True))
    op.add_column('members', sa.Column('totp_step', sa.BigInteger(), nullable=True))
    op.add_column('tenants', moment('closes_at', nullable=True))
    op.add_column('tenants', moment('delete_after', nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def downgrade() -> None:
    for column in ('delete_after', 'closes_at'):
        op.drop_column('tenants', column)
    for column in ('totp_step', 'totp_sealed'):
        op.drop_column('members', column)
    for table in reversed(TABLES):
        op.drop_table(table)
