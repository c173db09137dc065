"""editions: a cheaper function behind the triggers, for changes of thousands of rows (PostgreSQL)

The same name and the same effect, so the previous release serves on.
"""

from infra.migrations.editions import renew

revision = '0065'
down_revision = '0064'
branch_labels = None
depends_on = None


def upgrade() -> None:
    renew()


def downgrade() -> None:
    """What 0050 makes is the same function."""
