"""sharing: more terms of a link, what guests leave behind, what pages tell of a photo

Expand only. A link's `rights` go on saying what the previous release understands; `allowed` says the rest.
"""

import sqlalchemy as sa
from alembic import op

import infra.sql
from infra.migrations.row_security import force, isolate, open_up

revision = '0018'
down_revision = '0016'
branch_labels = None
depends_on = None

TABLES = ('guests', 'favourites', 'comments', 'selections', 'selection_items', 'contributions', 'guesses', 'news')


def id_column(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=26), nullable=nullable)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, infra.sql.UtcDateTime(timezone=True), nullable=nullable)


def owned(table: str, *columns: sa.Column[object], key: tuple[str, ...] = ('id',), **parents: str) -> None:
    """A tenant's table whose references to `parents` (column to table) cannot leave the tenant."""
    op.create_table(
        table,
        id_column('tenant_id'),
        *columns,
        sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=f'fk_{table}_tenant_id', ondelete='CASCADE'),
        *(
            sa.ForeignKeyConstraint(
                ['tenant_id', column], [f'{parent}.tenant_id', f'{parent}.id'],
                name=f'fk_{table}_tenant_id_{column}', ondelete='CASCADE',
            )
            for column, parent in parents.items()
        ),
        sa.PrimaryKeyConstraint('tenant_id', *key, name=f'pk_{table}'),
    )


def upgrade() -> None:
    _widen()
    _guests()
    _selections()
    _links()
    if op.get_bind().dialect.name == 'postgresql':
        for table in TABLES:
            isolate(table)
            force(table)


def _widen() -> None:
    with op.batch_alter_table('share_links') as batch_op:
        batch_op.add_column(sa.Column('allowed', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('pin_hash', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('asks_name', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('max_visits', sa.Integer(), nullable=True))
        batch_op.add_column(moment('last_visit_at', nullable=True))
        batch_op.add_column(sa.Column('choose_at_most', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('upload_files', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('upload_bytes', sa.BigInteger(), nullable=True))
    with op.batch_alter_table('assets') as batch_op:
        batch_op.add_column(sa.Column('held', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('albums') as batch_op:
        batch_op.add_column(sa.Column('capture', sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column('place', sa.Boolean(), nullable=True))
    with op.batch_alter_table('tenants') as batch_op:
        batch_op.add_column(sa.Column('capture', sa.String(length=8), nullable=False, server_default='date'))
        batch_op.add_column(sa.Column('place', sa.Boolean(), nullable=False, server_default=sa.false()))


def _guests() -> None:
    owned('guests', id_column('id'), id_column('album_id'), id_column('link_id'),
          sa.Column('name', sa.String(length=80), nullable=False), moment('created_at'),
          album_id='albums', link_id='share_links')
    owned('favourites', id_column('guest_id'), id_column('asset_id'), moment('created_at'),
          key=('guest_id', 'asset_id'), guest_id='guests', asset_id='assets')
    owned('comments', id_column('id'), id_column('album_id'), id_column('asset_id'), id_column('guest_id'),
          sa.Column('text', sa.String(length=1000), nullable=False), moment('created_at'),
          moment('hidden_at', nullable=True), album_id='albums', asset_id='assets', guest_id='guests')
    op.create_index('ix_guests_album', 'guests', ['tenant_id', 'album_id', 'id'])
    op.create_index('ix_guests_link', 'guests', ['tenant_id', 'link_id'])
    op.create_index('ix_favourites_asset', 'favourites', ['tenant_id', 'asset_id'])
    op.create_index('ix_comments_album', 'comments', ['tenant_id', 'album_id', 'id'])
    op.create_index('ix_comments_asset', 'comments', ['tenant_id', 'asset_id', 'id'])
    op.create_index('ix_comments_guest', 'comments', ['tenant_id', 'guest_id'])


def _selections() -> None:
    owned('selections', id_column('id'), id_column('album_id'), id_column('guest_id'),
          sa.Column('name', sa.String(length=120), nullable=False), sa.Column('at_most', sa.Integer(), nullable=True),
          moment('submitted_at', nullable=True), moment('created_at'), album_id='albums', guest_id='guests')
    owned('selection_items', id_column('selection_id'), id_column('asset_id'), key=('selection_id', 'asset_id'),
          selection_id='selections', asset_id='assets')
    op.create_index('ix_selections_album', 'selections', ['tenant_id', 'album_id', 'id'])
    op.create_index('ix_selections_guest', 'selections', ['tenant_id', 'guest_id'])
    op.create_index('ix_selection_items_asset', 'selection_items', ['tenant_id', 'asset_id'])


def _links() -> None:
    owned('contributions', id_column('id'), id_column('album_id'), id_column('link_id'), id_column('guest_id'),
          sa.Column('size', sa.BigInteger(), nullable=False), sa.Column('state', sa.String(length=8), nullable=False),
          moment('created_at'), album_id='albums', link_id='share_links', guest_id='guests')
    owned('guesses', id_column('link_id'), sa.Column('what', sa.String(length=8), nullable=False),
          sa.Column('place', sa.String(length=64), nullable=False), sa.Column('failures', sa.Integer(), nullable=False),
          moment('until'), moment('at'), key=('link_id', 'what', 'place'), link_id='share_links')
    owned('news', id_column('id'), id_column('album_id'), sa.Column('kind', sa.String(length=12), nullable=False),
          sa.Column('who', sa.String(length=80), nullable=False), sa.Column('about', sa.String(length=200), nullable=False),
          moment('created_at'), moment('seen_at', nullable=True), album_id='albums')
    op.create_index('ix_contributions_link', 'contributions', ['tenant_id', 'link_id', 'state'])
    op.create_index('ix_contributions_album', 'contributions', ['tenant_id', 'album_id', 'state'])
    op.create_index('ix_contributions_guest', 'contributions', ['tenant_id', 'guest_id'])
    op.create_index('ix_news_album', 'news', ['tenant_id', 'album_id'])
    op.create_index('ix_news_unseen', 'news', ['tenant_id', 'seen_at', 'id'])


def downgrade() -> None:
    for table in reversed(TABLES):
        if op.get_bind().dialect.name == 'postgresql':
            open_up(table)
        op.drop_table(table)
    for table, columns in (
        ('tenants', ('place', 'capture')),
        ('albums', ('place', 'capture')),
        ('assets', ('held',)),
        ('share_links', ('upload_bytes', 'upload_files', 'choose_at_most', 'last_visit_at', 'max_visits', 'asks_name',
                         'pin_hash', 'allowed')),
    ):
        with op.batch_alter_table(table) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
