"""operator: the console's log, support access, abuse reports and take-downs, switches, announcements

Expand only: the previous release knows none of it. What was taken down is refused by hosts of this release.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.editions import forget, watch
from infra.migrations.row_security import force, isolate
from infra.sql import UtcDateTime

revision = '0059'
down_revision = '0058'
branch_labels = None
depends_on = None

OWNED = ('support_grants', 'support_acts', 'abuse_reports', 'tenant_features')
OTHERS = ('operator_log', 'blocked_hashes', 'feature_switches', 'announcements')

_REFUSE = """
CREATE FUNCTION refuse_operator_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$"""


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=nullable)


def text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def owned(table: str, *columns: object, key: str = 'id') -> None:
    op.create_table(
        table,
        sa.Column('tenant_id', sa.String(length=26), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=f'fk_{table}_tenant_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('tenant_id', key, name=f'pk_{table}'),
    )


def upgrade() -> None:
    op.create_table('operator_log', text('id', 26), moment('at'), text('who', 80), text('address', 45),
                    text('agent', 200), text('action', 40), text('tenant', 26, nullable=True), text('subject', 200),
                    sa.Column('detail', sa.JSON(), nullable=False), text('once', 64, nullable=True),
                    sa.PrimaryKeyConstraint('id', name='pk_operator_log'),
                    sa.UniqueConstraint('once', name='uq_operator_log_once'))
    op.create_index('ix_operator_log_tenant', 'operator_log', ['tenant', 'id'])
    op.create_table('blocked_hashes', text('sha256', 64), moment('created_at'), text('who', 80), text('reason', 16),
                    text('report_id', 26, nullable=True), sa.PrimaryKeyConstraint('sha256', name='pk_blocked_hashes'))
    op.create_table('feature_switches', text('name', 32), sa.Column('is_on', sa.Boolean(), nullable=False),
                    sa.PrimaryKeyConstraint('name', name='pk_feature_switches'))
    op.create_table('announcements', text('id', 26), text('level', 8), sa.Column('text', sa.Text(), nullable=False),
                    moment('starts_at'), moment('ends_at', nullable=True), text('who', 80),
                    sa.PrimaryKeyConstraint('id', name='pk_announcements'))
    owned('support_grants', text('id', 26), text('role', 8), text('granted_by', 254), moment('created_at'),
          moment('expires_at'), moment('ended_at', nullable=True))
    owned('support_acts', text('id', 26), text('grant_id', 26), moment('at'), text('who', 80), text('method', 8),
          text('path', 300),
          sa.ForeignKeyConstraint(['tenant_id', 'grant_id'], ['support_grants.tenant_id', 'support_grants.id'],
                                  name='fk_support_acts_tenant_id_grant_id', ondelete='CASCADE'))
    op.create_index('ix_support_acts_grant', 'support_acts', ['tenant_id', 'grant_id', 'id'])
    owned('abuse_reports', text('id', 26), text('album', 26), text('asset', 26, nullable=True), text('url', 500),
          text('reason', 16), sa.Column('text', sa.Text(), nullable=False), text('email', 254), text('state', 12),
          moment('created_at'), moment('closed_at', nullable=True), text('closed_by', 80))
    op.create_index('ix_abuse_reports_state', 'abuse_reports', ['state', 'id'])
    owned('tenant_features', text('name', 32), sa.Column('is_on', sa.Boolean(), nullable=False), key='name')
    if op.get_bind().dialect.name == 'postgresql':
        for table in OWNED:
            isolate(table)
            force(table)
    watch('tenant_features')
    _append_only('operator_log')


def _append_only(table: str) -> None:
    """For whoever owns the table, too. An entry of the log of one machine can be removed with the file only."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(_REFUSE)
        op.execute(f'CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_operator_change()')
        return
    for verb in ('UPDATE', 'DELETE'):
        op.execute(f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                   f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END")


def downgrade() -> None:
    forget('tenant_features')
    for table in ('support_acts', 'support_grants', 'abuse_reports', 'tenant_features', *OTHERS):
        op.drop_table(table)
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION refuse_operator_change()')
