"""Statements apart from any session: the guards of a session hold, and errors are those of one."""

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError

from tenants.catalog import Album
from tenants.db import ScopeMissing
from tenants.prepared import TENANT, Asking, Prepared, Rows
from tenants.scope import open_site

pytestmark = pytest.mark.every_database

TITLES = Prepared(select(Album.title).where(Album.tenant_id == TENANT).order_by(Album.title))
LIKE = Prepared(
    select(Album.slug).where(Album.tenant_id == TENANT, Album.slug.like("%secret"), Album.title != bindparam("not", ""))
)
OTHERS = Prepared(select(Album.title).where(Album.tenant_id == bindparam("whose", ""), TENANT != ""))


@pytest.fixture
def asking(web: Flask) -> Asking:
    found: Asking = web.extensions["vitrine.asking"]
    return found


def test_several_are_answered_in_their_order(asking: Asking, world: World) -> None:
    titles, slugs, again = asking.ask(world.alpha, (TITLES, {}), (LIKE, {"not": "it's 100 % \\'; --"}), (TITLES, {}))
    assert len(titles) == 2 and [tuple(row) for row in titles] == [tuple(row) for row in again]
    assert [row[0] for row in slugs] == ["alpha-secret"]


def test_each_run_has_values_of_its_own(asking: Asking, world: World) -> None:
    """Whatever the others in the message call theirs."""
    none, one = asking.ask(world.alpha, (OTHERS, {"whose": "nobody"}), (OTHERS, {"whose": world.alpha}))
    assert (len(none), len(one)) == (0, 2)


def test_a_statement_of_none_is_refused(asking: Asking) -> None:
    with pytest.raises(ScopeMissing):
        asking.ask("", (TITLES, {}))


def test_postgresql_is_told_whom_each_message_serves(asking: Asking, world: World, database: str) -> None:
    """Rows of another tenant stay hidden from a statement that asks for them, and the next message serves another."""
    for _ in range(20):  # Whichever connection of the pool it gets.
        assert len(asking.ask(world.alpha, (OTHERS, {"whose": world.alpha}))[0]) == 2
        hidden = asking.ask(world.alpha, (OTHERS, {"whose": world.beta}))[0]
        assert len(hidden) == (0 if database == "postgres" else 1)
    if database == "postgres":
        with asking.engine.connect() as connection:
            assert connection.execute(text("SELECT current_setting('vitrine.tenant', true)")).scalar_one() == ""


def test_a_failed_statement_is_an_error_as_of_a_session(asking: Asking, world: World) -> None:
    broken = Prepared(select(text("nothing_like_it")).select_from(Album).where(Album.tenant_id == TENANT))
    with pytest.raises(DBAPIError):
        asking.ask(world.alpha, (broken, {}))
    assert len(asking.ask(world.alpha, (TITLES, {}))[0]) == 2


SHOWN = Prepared(
    select(Album.slug, Album.title)
    .where(Album.tenant_id == TENANT, Album.deleted_at.is_(None), Album.slug != bindparam("not", ""))
    .order_by(Album.slug.desc()),
    is_large=True,
)


def test_what_was_read_before_is_handed_over_only_where_it_changed(
    asking: Asking, world: World, web: Flask, database: str
) -> None:
    """PostgreSQL sends the rows of a large statement once, and others when there are others; in their order."""

    def shown(tenant_id: str, but: str = "") -> Rows:
        return asking.ask(tenant_id, (TITLES, {}), (SHOWN, {"not": but}), (TITLES, {}))[1]

    first, of_another = shown(world.alpha), shown(world.beta)
    assert [row[0] for row in first] == ["alpha-shows", "alpha-secret"] and len(of_another) == 1
    again = shown(world.alpha)
    assert again == first and (again is first) is (database == "postgres")
    assert [row[0] for row in shown(world.alpha, but="alpha-shows")] == ["alpha-secret"]
    with web.app_context(), open_site(world.alpha) as site:
        albums = site.session.scalars(select(Album)).all()
        for change in ("a first", 'é,\n"second"'):
            albums[0].title = change
            site.session.commit()
            assert change in {row[1] for row in shown(world.alpha)}
        for album in albums:
            album.deleted_at = site.now()
        site.session.commit()
        assert len(shown(world.alpha)) == len(shown(world.alpha)) == 0
        albums[0].deleted_at = None
        site.session.commit()
        assert len(shown(world.alpha)) == 1
    assert shown(world.beta) == of_another


def test_a_message_may_be_longer_than_what_the_network_takes_at_once(asking: Asking, world: World) -> None:
    long = "x" * (8 << 20)
    titles, slugs = asking.ask(world.alpha, (TITLES, {}), (LIKE, {"not": long}))
    assert (len(titles), len(slugs)) == (2, 1)
