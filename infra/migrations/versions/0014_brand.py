"""brand: icon, paper and ink, heading font, layout, links, own CSS, language, the host's credit; a layout an album

New columns with defaults in the database: the previous release inserts its rows without naming them.
"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0012'
branch_labels = None
depends_on = None

def brand_columns() -> tuple[sa.Column, ...]:
    return (
        sa.Column('icon_sha256', sa.String(length=64), nullable=True),
        sa.Column('paper_light', sa.String(length=7), nullable=True),
        sa.Column('ink_light', sa.String(length=7), nullable=True),
        sa.Column('paper_dark', sa.String(length=7), nullable=True),
        sa.Column('ink_dark', sa.String(length=7), nullable=True),
        sa.Column('heading_font', sa.String(length=16), nullable=True),
        sa.Column('layout', sa.String(length=12), nullable=False, server_default='justified'),
        sa.Column('header_links', sa.JSON(), nullable=False, server_default='[]'),
        sa.Column('footer_links', sa.JSON(), nullable=False, server_default='[]'),
        sa.Column('css', sa.Text(), nullable=False, server_default=''),
        sa.Column('locale', sa.String(length=16), nullable=True),
        sa.Column('host_credit', sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def upgrade() -> None:
    # ADD COLUMN, not a batch that copies the table: SQLite does it in place, beside a serving release.
    for column in brand_columns():
        op.add_column('brands', column)
    op.add_column('albums', sa.Column('layout', sa.String(length=12), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('albums', schema=None) as batch_op:
        batch_op.drop_column('layout')
    with op.batch_alter_table('brands', schema=None) as batch_op:
        for column in reversed(brand_columns()):
            batch_op.drop_column(column.name)
