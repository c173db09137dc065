"""row-level security

Expand: the policies bind the serving role and not the owner, as which the release before this one serves. See
docs/adr/0091 for the order of steps; 0003 closes the owner's way as well.
"""

from alembic import op

from infra.migrations.row_security import isolate, open_up, publish

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

TENANT_OWNED = (
    'albums', 'assets', 'members', 'outbox', 'renditions', 'share_links', 'uploads', 'usage_events',
)
PUBLISHED = {'tenants': 'id', 'brands': 'tenant_id', 'domains': 'tenant_id'}


def upgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in TENANT_OWNED:
        isolate(table)
    for table, column in PUBLISHED.items():
        publish(table, column)


def downgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in (*TENANT_OWNED, *PUBLISHED):
        open_up(table)
