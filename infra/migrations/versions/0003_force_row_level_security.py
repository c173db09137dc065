"""row-level security for the owner

Contract: to be applied when no process of a release before 0002 serves any more.
"""

from alembic import op

from infra.migrations.row_security import force

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

TABLES = (
    'albums', 'assets', 'members', 'outbox', 'renditions', 'share_links', 'uploads', 'usage_events',
    'tenants', 'brands', 'domains',
)


def upgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in TABLES:
        force(table)


def downgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in TABLES:
        op.execute(f'ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY')
