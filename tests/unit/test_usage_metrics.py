"""Usage as metrics: exactly the events that are new, and only when they are committed."""

from datetime import timedelta

import pytest
from conftest import World
from flask import Flask

from tenants.scope import Site, open_site, ports
from tenants.usage import Meter

pytestmark = pytest.mark.every_database


def told(meter: Meter, **about: str) -> float:
    now = ports().clock.now()
    return ports().metrics.total(f"usage.{meter.value}", now - timedelta(hours=1), now + timedelta(minutes=1), **about)


def use(site: Site, event_id: str, quantity: float = 1) -> bool:
    return site.use(event_id, Meter.PHOTOS, quantity)


def test_new_events_are_told_once_committed(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        assert use(site, "photo:a") and use(site, "photo:b", 2)
        assert not use(site, "photo:a")
        site.session.rollback()
        assert told(Meter.PHOTOS) == 0
        assert use(site, "photo:a") and use(site, "photo:b", 2)
        site.session.commit()
        assert told(Meter.PHOTOS, tenant=world.alpha) == 3
        assert not use(site, "photo:a")
        site.session.commit()
    with open_site(world.beta) as site:
        assert use(site, "photo:a", 5)
        site.session.commit()
    assert (told(Meter.PHOTOS, tenant=world.alpha), told(Meter.PHOTOS, tenant=world.beta)) == (3, 5)


def test_what_is_left_uncommitted_is_never_told(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        use(site, "photo:a")
    with open_site(world.alpha) as site:
        site.session.commit()
    assert told(Meter.PHOTOS) == 0


def test_a_savepoint_tells_nothing_by_itself(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        with site.session.begin_nested():
            use(site, "photo:a")
        site.session.rollback()
        assert told(Meter.PHOTOS) == 0
        with site.session.begin_nested():
            use(site, "photo:a")
        site.session.commit()
        assert told(Meter.PHOTOS) == 1


def test_units_are_the_meters_own(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        for meter in Meter:
            site.use(f"x:{meter.value}", meter, -4 if meter in (Meter.STORED, Meter.RENDERED) else 4)
        site.session.commit()
    assert {meter: told(meter) for meter in Meter} == {
        meter: -4 if meter in (Meter.STORED, Meter.RENDERED) else 4 for meter in Meter
    }
