"""audit: who changed what in the dashboard, when and from where

A table of its own: the previous release serves on and writes nothing into it. Entries are never changed: triggers
refuse it to everybody, and the serving role of PostgreSQL may only read and insert.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.row_security import force, isolate

revision = '0056'
down_revision = '0055'
branch_labels = None
depends_on = None

_REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM tenants WHERE id = OLD.tenant_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$"""


def upgrade() -> None:
    op.create_table('audit_events',
    sa.Column('tenant_id', sa.String(length=26), nullable=False),
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('member', sa.String(length=26), nullable=False),
    sa.Column('who', sa.String(length=254), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('agent', sa.String(length=200), nullable=False),
    sa.Column('request', sa.String(length=128), nullable=False),
    sa.Column('album', sa.String(length=26), nullable=False),
    sa.Column('about', sa.String(length=300), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name=op.f('fk_audit_events_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('tenant_id', 'id', name=op.f('pk_audit_events')),
    )
    op.create_index('ix_audit_events_member', 'audit_events', ['tenant_id', 'member', 'id'])
    op.create_index('ix_audit_events_action', 'audit_events', ['tenant_id', 'action', 'id'])
    op.create_index('ix_audit_events_album', 'audit_events', ['tenant_id', 'album', 'id'])
    if op.get_bind().dialect.name == 'postgresql':
        isolate('audit_events')
        force('audit_events')
        op.execute(_REFUSE)
        op.execute(
            'CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit_events '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()'
        )
        return
    for verb, unless in (('UPDATE', ''), ('DELETE', 'WHEN EXISTS (SELECT 1 FROM tenants WHERE id = OLD.tenant_id) ')):
        op.execute(
            f'CREATE TRIGGER audit_is_kept_{verb.lower()} BEFORE {verb} ON audit_events {unless}'
            "BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END"
        )


def downgrade() -> None:
    op.drop_table('audit_events')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION refuse_change()')
