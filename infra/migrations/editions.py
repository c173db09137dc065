"""Triggers that count a tenant's edition on: whatever changes a row that public pages show, in the same transaction.

They are in the database because everyone who writes goes through it: every fleet, the previous release while the next
one is rolled out, and an operator at a prompt. A migration that makes a watched table anew (Alembic's batch mode does
on SQLite) calls `watch` again; `tests/unit/test_kept.py` would miss the triggers.
"""

from alembic import op

WATCHED = ("tenants", "brands", "domains", "albums", "album_parents", "assets", "renditions")
"""What the home page and album pages are made of."""

NOT_SHOWN = {
    "assets": ("fence", "leased_until", "stage", "progress", "claimed_at", "rebuild_asked_at", "crc32"),
    "renditions": ("crc32",),
}
"""Columns that a worker's lease and heartbeat change and no kept page shows. (PostgreSQL; on SQLite they count.)"""

# A deferred trigger runs at the commit, when all other locks are held: two transactions of a tenant never wait for each
# other's row here while holding what the other needs. Its first run in a transaction counts, the others see that.
# The number is a time where it can be, so that a database restored from yesterday's copy repeats none.
# It says `across` for itself: at the commit a transaction may serve another tenant than the one that it wrote for.
# It comes to every row, ten thousand at once: those after the first that counts cost a comparison. Only before it does
# a row become JSON, of which the columns can be taken away that no kept page shows: 50 µs.
_COUNT = """
CREATE OR REPLACE FUNCTION count_edition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_owner text;
    new_owner text;
    owner text;
    counted text := current_setting('vitrine.counted', true);
    across text;
BEGIN
    IF TG_ARGV[0] = 'id' THEN
        IF TG_OP <> 'INSERT' THEN old_owner := OLD.id; END IF;
        IF TG_OP <> 'DELETE' THEN new_owner := NEW.id; END IF;
    ELSE
        IF TG_OP <> 'INSERT' THEN old_owner := OLD.tenant_id; END IF;
        IF TG_OP <> 'DELETE' THEN new_owner := NEW.tenant_id; END IF;
    END IF;
    IF coalesce(old_owner, new_owner) = counted AND coalesce(new_owner, old_owner) = counted THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_NARGS > 1 THEN
        IF to_jsonb(OLD) - TG_ARGV[1:] = to_jsonb(NEW) - TG_ARGV[1:] THEN
            RETURN NULL;
        END IF;
    END IF;
    across := coalesce(current_setting('vitrine.across', true), '');
    PERFORM set_config('vitrine.across', 'on', true);
    FOR owner IN SELECT DISTINCT one FROM unnest(ARRAY[old_owner, new_owner]) AS owners (one) WHERE one IS NOT NULL LOOP
        IF owner IS DISTINCT FROM current_setting('vitrine.counted', true) THEN
            UPDATE editions SET number = GREATEST(number + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint)
            WHERE tenant_id = owner;
            PERFORM set_config('vitrine.counted', owner, true);
        END IF;
    END LOOP;
    PERFORM set_config('vitrine.across', across, true);
    RETURN NULL;
END $$"""

_BEGIN = """
CREATE FUNCTION begin_edition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE across text := coalesce(current_setting('vitrine.across', true), '');
BEGIN
    PERFORM set_config('vitrine.across', 'on', true);
    INSERT INTO editions (tenant_id, number) VALUES (NEW.id, 1) ON CONFLICT DO NOTHING;
    PERFORM set_config('vitrine.across', across, true);
    RETURN NULL;
END $$"""

_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def prepare() -> None:
    """What the triggers run, and the first edition of each tenant that comes."""
    if _postgres():
        op.execute(_COUNT)
        op.execute(_BEGIN)
        op.execute(
            "CREATE TRIGGER edition_begins AFTER INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION begin_edition()"
        )
    else:
        op.execute(
            "CREATE TRIGGER edition_begins AFTER INSERT ON tenants "
            "BEGIN INSERT OR IGNORE INTO editions (tenant_id, number) VALUES (NEW.id, 1); END"
        )


def renew() -> None:
    """Have the triggers that are there run today's function."""
    if _postgres():
        op.execute(_COUNT)


def rewrite(table: str) -> None:
    """Make a table's triggers anew, as today's `watch` makes them. (PostgreSQL; SQLite's are as they were.)"""
    if _postgres():
        forget(table)
        watch(table)


def watch(table: str) -> None:
    """Count the edition of the row's tenant on each change."""
    column = "id" if table == "tenants" else "tenant_id"
    arguments = ", ".join(f"'{each}'" for each in (column, *NOT_SHOWN.get(table, ())))
    for verb in ("INSERT", "UPDATE", "DELETE"):
        name = f"edition_of_{table}_{verb.lower()}"
        if _postgres():
            # Bytes are compared: a column of JSON has no equality of its own.
            when = "WHEN (OLD.* *<> NEW.*) " if verb == "UPDATE" else ""
            op.execute(
                f"CREATE CONSTRAINT TRIGGER {name} AFTER {verb} ON {table} DEFERRABLE INITIALLY DEFERRED "
                f"FOR EACH ROW {when}EXECUTE FUNCTION count_edition({arguments})"
            )
        else:
            owners = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
            named = f"tenant_id = {owners[verb]}.{column}" + (
                f" OR tenant_id = OLD.{column}" if verb == "UPDATE" else ""
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER {verb} ON {table} BEGIN "  # noqa: S608 (names from above)
                f"UPDATE editions SET number = max(number + 1, {_SQLITE_NOW}) WHERE {named}; END"
            )


def forget(table: str) -> None:
    """Undo `watch`."""
    for verb in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER edition_of_{table}_{verb}" + (f" ON {table}" if _postgres() else ""))


def end() -> None:
    """Undo `prepare`."""
    op.execute("DROP TRIGGER edition_begins" + (" ON tenants" if _postgres() else ""))
    if _postgres():
        op.execute("DROP FUNCTION count_edition()")
        op.execute("DROP FUNCTION begin_edition()")
