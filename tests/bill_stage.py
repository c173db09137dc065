"""A tenant's money as browser tests find it: a month that was invoiced, and one under way."""

from datetime import timedelta

import gallery
from conftest import World
from flask import Flask
from metered import born, close, delivered, use

from billing import bills, invoices, terms
from billing.plans import GB
from tenants.catalog import album_by_id
from tenants.scope import open_site
from tenants.usage import Meter


def furnish(web: Flask, world: World) -> str:
    """Last month on Studio, invoiced, and this month beyond some of what is included. The invoice's number."""
    with web.app_context():
        with open_site(world.alpha) as site:
            now = site.now()
            album = album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            shots = [gallery.shot(path) for path in gallery.sources()[:3]]
            assets = [
                gallery.add_photo(site, album, shots[n % 3], place=n + 1, filename=f"IMG_{n}.jpg").id for n in range(12)
            ]
            site.session.commit()
        this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        last, _ = bills.month(*((this - timedelta(days=1)).timetuple()[:2]))
        evening = this - timedelta(hours=3)
        born(evening)
        with open_site(world.alpha) as site:
            terms.assign(site, "studio", since=last)
            for number, asset in enumerate(assets):
                about = {"album_id": world.alpha_album, "asset_id": asset}
                site.use(f"stored:{asset}", Meter.STORED, (number + 1) * 25 * GB, evening, **about)
                site.use(f"rendered:{asset}:1", Meter.RENDERED, (number + 1) * 11 * GB, evening, **about)
                site.use(f"video_in:{asset}", Meter.VIDEO_IN, 2400.0, evening, **about)
                site.use(f"video_out:{asset}", Meter.VIDEO_OUT, 9600.0, evening, **about)
                site.use(f"photo:{asset}", Meter.PHOTOS, 1100, evening, **about)
            site.session.commit()
        morning = this + timedelta(minutes=20)
        use(world.alpha, delivered(evening, 250 * GB), delivered(morning, 140 * GB, "this month"))
        close(this + timedelta(hours=2))
        close(min(now, this + timedelta(days=3)))
        with open_site(world.alpha) as site:
            number = invoices.issue(site, last, this).number
            site.session.commit()
        return number
