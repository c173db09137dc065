"""editions, search: changes of ten thousand rows within a second (PostgreSQL)

The triggers of `assets` and `renditions` no longer make each row JSON, and pages of words keep room for one more
version of the row that a move changes. The same effect, so the previous release serves on.
"""

from alembic import op

from infra.migrations.editions import NOT_SHOWN, renew, rewrite

revision = '0066'
down_revision = '0065'
branch_labels = None
depends_on = None


def upgrade() -> None:
    renew()
    for table in NOT_SHOWN:
        rewrite(table)
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE asset_words SET (fillfactor = 90)')


def downgrade() -> None:
    """These triggers serve the previous release as well."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE asset_words RESET (fillfactor)')
