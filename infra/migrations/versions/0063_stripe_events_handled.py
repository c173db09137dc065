"""stripe_events: when an event was handled, from which its keeping is counted

Expand only. The previous release leaves it empty; then the time of receipt serves.
"""

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = '0063'
down_revision = '0061'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('stripe_events', sa.Column('handled_at', UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('stripe_events', 'handled_at')
