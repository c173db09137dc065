"""Use and cost in the dashboard: the month, invoices as pages and PDF, where lines come from, prices and budgets."""

import io
import re
from datetime import timedelta
from urllib.parse import quote

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from metered import born, close, delivered, photo, stored, use
from pypdf import PdfReader
from sqlalchemy import delete, select

from billing import alerts, bills, invoices, terms
from billing.plans import GB
from tenants.audit import AuditEvent
from tenants.catalog import Asset, Rendition, album_by_id
from tenants.scope import open_site, ports
from tenants.usage import Meter

PAGE = "/dashboard/usage"


@pytest.fixture
def used(web: Flask, world: World) -> str:
    """Last month on Studio with 250 GB delivered, invoiced; this month a photo of an album. The invoice's number."""
    with web.app_context():
        with open_site(world.alpha) as site:
            now = site.now()
            album = album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            asset = gallery.fill_rows(site, album, 1)[0]
            site.session.commit()
        end = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        start, _ = bills.month(*((end - timedelta(days=1)).timetuple()[:2]))
        evening = end - timedelta(hours=3)  # A whole month of hours would take long to close.
        born(evening)
        with open_site(world.alpha) as site:
            terms.assign(site, "studio", since=start)
            site.use(f"video_in:{asset}", Meter.VIDEO_IN, 90.5, evening, album_id=world.alpha_album, asset_id=asset)
            site.use(f"rendered:{asset}:1", Meter.RENDERED, 9 * GB, evening, album_id=world.alpha_album, asset_id=asset)
            site.session.commit()
        use(world.alpha, delivered(evening, 250 * GB), stored(evening, 40 * GB), photo(evening))
        close(end + timedelta(hours=2))
        with open_site(world.alpha) as site:
            number = invoices.issue(site, start, end).number
            site.session.commit()
        return number


def test_the_month_its_forecast_and_its_invoices(alice: Browser, used: str) -> None:
    page = alice.get(PAGE).text
    for said in ("So far this month", "Expected by its end", "Plan Studio", "Storage of originals", used):
        assert said in page
    assert "$" in page


def test_renditions_are_shown_and_not_billed(alice: Browser, world: World, used: str) -> None:
    """9 GB for the last three hours of the invoice's month, by page, document and what they come from."""
    page = alice.get(f"{PAGE}/invoices/{used}").text
    row = page[page.index("Storage of renditions") :].partition("</tr>")[0]
    for said in ("27 GB hours", "Not billed by this plan", "$0.00"):
        assert said in row, row
    assert "data-over" not in row
    answer = alice.get(f"{PAGE}/invoices/{used}.pdf")
    read = "\n".join(each.extract_text() for each in PdfReader(io.BytesIO(answer.data)).pages)
    assert "Storage of renditions" in read and "not billed" in read
    (link,) = {part.split('"')[0] for part in page.split('href="') if "parts/rendition_gb_hours" in part}
    parts = alice.get(link.replace("&amp;", "&")).text
    assert "IMG_0.jpg" in parts and "27 GB hours" in parts
    assert re.search(r"<td>from [^<]+ on</td>", parts)


def test_a_new_tenant_sees_what_will_be_there(alice: Browser, world: World) -> None:
    page = alice.get(PAGE)
    assert page.status_code == 200
    assert "None yet: the first comes when this month has ended." in page.text


def test_an_invoice_as_page_and_as_pdf_say_the_same(alice: Browser, used: str) -> None:
    """50 GB more than the plan has, at 12 cents: $6.00, and $19.00 for the plan."""
    page = alice.get(f"{PAGE}/invoices/{used}").text
    assert "$25.00" in page and "$19.00" in page and "$6.00" in page
    answer = alice.get(f"{PAGE}/invoices/{used}.pdf")
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/pdf", "private, no-store")
    read = "\n".join(each.extract_text() for each in PdfReader(io.BytesIO(answer.data)).pages)
    for said in (f"Invoice {used}", "$25.00", "$19.00", "$6.00", "250 GB", "Video received", "1.51 min"):
        assert said in read, read


def test_a_line_opens_to_album_file_and_hour(alice: Browser, web: Flask, world: World, used: str) -> None:
    page = alice.get(f"{PAGE}/invoices/{used}").text
    (link,) = {part.split('"')[0] for part in page.split('href="') if "parts/video_minutes_in" in part}
    parts = alice.get(link.replace("&amp;", "&")).text
    assert "IMG_0.jpg" in parts and "alpha shows" in parts and "1.51 min" in parts


@pytest.mark.parametrize(
    "path",
    [
        "/invoices/other-2024-01",
        "/invoices/other-2024-01.pdf",
        "/parts/nothing?start=2024-01-01T00:00:00%2B00:00&end=2024-02-01T00:00:00%2B00:00",
        "/parts/photos?start=2024-01-01T00:00:00&end=2024-02-01T00:00:00",
        "/parts/photos?start=x&end=y",
        "/parts/photos",
    ],
)
def test_what_is_not_there_is_not_found(alice: Browser, used: str, path: str) -> None:
    assert alice.get(PAGE + path).status_code == 404


def test_another_tenants_invoice_is_not_found(web: Flask, used: str) -> None:
    bob = Browser(web, "beta.localhost")
    bob.sign_in("bob")
    assert bob.get(f"{PAGE}/invoices/{quote(used)}").status_code == 404
    assert bob.get(f"{PAGE}/invoices/{quote(used)}.pdf").status_code == 404


def test_the_price_before_one_acts(alice: Browser, used: str) -> None:
    page = alice.get(f"{PAGE}?photos=20000&gigabytes=0&minutes=0").text
    assert "About US$10.00 more this month." in page  # 10,000 beyond what is included, at a tenth of a cent.
    asked = alice.get(f"{PAGE}/price?photos=20000&bytes=0&seconds=0", accept="application/json").json
    assert asked == {"amount": 1000, "currency": "usd", "text": "US$10.00", "note": ""}
    assert alice.get(f"{PAGE}/price?photos=-1", accept="application/json").status_code == 422
    assert alice.get(f"{PAGE}?photos=-1").status_code == 422


def test_a_budget_warns_once_it_is_half_used(alice: Browser, used: str) -> None:
    alice.get(PAGE)
    assert alice.submit(PAGE, {"budget": "20"}).status_code == 303
    page = alice.get(PAGE).text
    assert "80 % of this month" in page  # The plan's own $19.00 are 95 per cent of it.
    assert alice.submit(PAGE, {"budget": "-1"}).status_code == 422
    assert alice.submit(PAGE, {"budget": ""}).status_code == 303
    assert "of this month&#39;s budget" not in alice.get(PAGE).text


def test_a_budget_says_what_happens_when_it_is_reached_and_so_do_the_pages(
    alice: Browser, web: Flask, world: World, used: str
) -> None:
    alice.get(PAGE)
    refused = alice.submit(PAGE, {"budget": "19", "reach": "stop"})
    assert refused.status_code == 422 and "The plan alone costs that much" in refused.text
    assert alice.submit(PAGE, {"budget": "20", "reach": "nothing"}).status_code == 422
    assert alice.submit(PAGE, {"budget": "29", "reach": "lean"}).status_code == 303
    page = alice.get(PAGE).text
    assert 'value="lean" checked' in page or 'checked id="reach-1"' in page
    assert "made in fewer sizes" not in page
    asked = {n: alice.get(f"{PAGE}/price?photos={n}", accept="application/json").json["note"] for n in (19_000, 20_000)}
    assert asked == {
        19_000: "",
        20_000: "That reaches the budget of US$29.00. From then on new pictures are made smaller.",
    }
    assert "That reaches the budget of US$29.00." in alice.get(f"{PAGE}?photos=20000&gigabytes=0&minutes=0").text
    with web.app_context():
        use(world.alpha, delivered(ports().clock.now() - timedelta(seconds=1), 300 * GB, "this month"))
        close(ports().clock.now() + timedelta(hours=2))
        alerts.run(ports().clock.now())
        with open_site(world.alpha) as site:
            entry = site.session.scalars(select(AuditEvent).where(AuditEvent.action == "budget.changed")).one()
            assert entry.details == {"changed": {"budget": [None, 2900], "reach": ["tell", "lean"]}}
    for path in (PAGE, f"/dashboard/albums/{world.alpha_album}"):
        assert "made in fewer sizes until it is raised" in alice.get(path).text
    assert alice.get(f"{PAGE}/price?photos=20000", accept="application/json").json["note"] == "", "it is reached"
    alice.get(PAGE)
    assert alice.submit(PAGE, {"budget": "100", "reach": "lean"}).status_code == 303
    assert "made in fewer sizes until" not in alice.get(f"/dashboard/albums/{world.alpha_album}").text


def test_publishing_tells_what_visits_deliver(alice: Browser, web: Flask, world: World, used: str) -> None:
    """One photo: 200 kB in the grid and one time in ten 1 MB in full are 300 MB in a thousand visits."""
    settings, share = (f"/dashboard/albums/{world.alpha_album}/{page}" for page in ("settings", "share"))
    sizes = {"w320.jpg": 50_000, "w640.jpg": 200_000, "w640.webp": 250_000, "w2048.jpg": 1_000_000}
    with web.app_context(), open_site(world.alpha) as site:
        site.session.execute(delete(Rendition))
        asset = site.session.scalars(select(Asset).where(Asset.album_id == world.alpha_album)).one()
        for name, size in sizes.items():
            width, kind = int(name[1:].partition(".")[0]), "image/" + name.rpartition(".")[2].replace("jpg", "jpeg")
            row = Rendition(tenant_id=world.alpha, asset_id=asset.id, generation=asset.generation, name=name)
            row.content_type, row.width, row.height, row.size = kind, width, width, size
            site.session.add(row)
        site.session.commit()
    for page in (settings, share):
        assert "1,000 visits deliver about 0.3 GB. The plan includes that." in alice.get(page).text
    with web.app_context():
        use(world.alpha, delivered(ports().clock.now() - timedelta(seconds=1), 300 * GB, "this month"))
        close(ports().clock.now() + timedelta(hours=2))
    assert "which adds about US$0.04 to this month" in alice.get(settings).text
