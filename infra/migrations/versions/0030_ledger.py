"""ledger: exact amounts of usage, the hourly ledger, meter events, plans and quotas of tenants

Expand only. The previous release goes on writing usage events without `amount`; what they count follows from `quantity`.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate, open_up

revision = '0030'
down_revision = '0023'
branch_labels = None
depends_on = None

TABLES = ('ledger', 'ledger_heads', 'meter_events', 'plan_terms', 'invoices', 'quota_use')


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, infra.sql.UtcDateTime(timezone=True), nullable=nullable)


def text(name: str, length: int, **also: object) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, **also)


def count(name: str, **also: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, **also)


def owned(table: str, *columns: sa.Column[object], key: str) -> None:
    op.create_table(
        table,
        sa.Column('tenant_id', sa.String(length=26), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=f'fk_{table}_tenant_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('tenant_id', key, name=f'pk_{table}'),
    )


def upgrade() -> None:
    _widen()
    owned('ledger', count('number', autoincrement=False), moment('window'), text('meter', 24),
          sa.Column('revision', sa.Integer(), nullable=False), count('quantity'), count('delta'), moment('closed_at'),
          text('previous', 64), text('sha256', 64), key='number')
    op.create_index('uq_ledger_tenant_id_meter', 'ledger', ['tenant_id', 'meter', 'window', 'revision'], unique=True)
    op.create_index('ix_ledger_window', 'ledger', ['tenant_id', 'window', 'meter'])
    owned('ledger_heads', text('chain', 8), count('number'), text('sha256', 64), moment('closed_until'), count('level'),
          moment('looked_until'), sa.Column('waits_for', sa.Text(), nullable=False), key='chain')
    op.create_index('ix_ledger_heads_due', 'ledger_heads', ['closed_until'])
    owned('meter_events', text('identifier', 100), text('meter', 24), moment('window'),
          sa.Column('revision', sa.Integer(), nullable=False), count('value'), text('state', 8),
          moment('claimed_at', nullable=True), moment('sent_at', nullable=True), text('why', 200), key='identifier')
    op.create_index('ix_meter_events_state', 'meter_events', ['state', 'window'])
    owned('plan_terms', moment('since'), text('plan', 32), moment('decided_at'), text('id', 26), key='id')
    op.create_index('ix_plan_terms_since', 'plan_terms', ['tenant_id', 'since', 'id'])
    owned('invoices', text('id', 26), text('number', 72), moment('start'), moment('end'), text('currency', 3),
          count('total'), count('row'), sa.Column('lines', sa.JSON(), nullable=False), moment('issued_at'), key='id')
    op.create_index('uq_invoices_tenant_id_number', 'invoices', ['tenant_id', 'number'], unique=True)
    owned('quota_use', text('what', 8), count('used'), text('month', 7), key='what')
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def _widen() -> None:
    # SQLite adds no column whose default is a function; PostgreSQL does so without rewriting the table.
    with op.batch_alter_table('usage_events', recreate='auto') as batch_op:
        batch_op.add_column(sa.Column('amount', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('recorded_at', infra.sql.UtcDateTime(timezone=True), nullable=False,
                                      server_default=sa.func.now()))
        batch_op.create_index('ix_usage_events_at', ['at'])
        batch_op.create_index('ix_usage_events_recorded', ['recorded_at'])
    with op.batch_alter_table('tenants') as batch_op:
        for column in ('max_storage_bytes', 'max_upload_bytes', 'max_photos_month'):
            batch_op.add_column(sa.Column(column, sa.BigInteger(), nullable=True))
    with op.batch_alter_table('uploads') as batch_op:
        batch_op.add_column(sa.Column('reserved', sa.BigInteger(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('photo_month', sa.String(length=7), nullable=False, server_default=''))


def downgrade() -> None:
    for table in reversed(TABLES):
        if op.get_bind().dialect.name == 'postgresql':
            open_up(table)
        op.drop_table(table)
    with op.batch_alter_table('uploads') as batch_op:
        batch_op.drop_column('photo_month')
        batch_op.drop_column('reserved')
    with op.batch_alter_table('tenants') as batch_op:
        for column in ('max_photos_month', 'max_upload_bytes', 'max_storage_bytes'):
            batch_op.drop_column(column)
    with op.batch_alter_table('usage_events') as batch_op:
        batch_op.drop_index('ix_usage_events_recorded')
        batch_op.drop_index('ix_usage_events_at')
        batch_op.drop_column('recorded_at')
        batch_op.drop_column('amount')
