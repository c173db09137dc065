"""What `make screenshots` does beside the tour: README's pictures from a running product with the sample album, small
copies of the tour's for docs/screenshots, and one page to look at everything on (var/screenshots/index.html).
"""

import argparse
import re
import sys
import tempfile
from html import escape
from io import BytesIO
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

from loopback import free_port  # noqa: E402  # Found by the line above, as pytest's `pythonpath` does it.
from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from test_machine import machine  # noqa: E402

DOCS = ROOT / "docs/screenshots"
MOST_BYTES = 300_000
TALLEST = 1300
"""Pixels: a long table begins as it goes on."""
CHROMIUM = Path(__file__).with_name("chromium.sh")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
OF_THE_TOUR = {
    "bill-1440-light": "dashboard-bill-full-1440-light",
    "margin-1440-light": "operator-margin-full-1440-light",
    "margin-390-dark": "operator-margin-full-390-dark",
    "invoice-pdf": "invoice-pdf",
}
"""Names in docs/screenshots, of pictures that the tour (and tests/browser/test_bill.py for the PDF) has made."""

TILE = '<a href="{file}"><img loading="lazy" src="{file}" alt="{name}"></a>'
STYLE = """
body { font: 1rem system-ui; margin: 2rem }
div { display: flex; gap: 1rem; align-items: start; overflow: auto }
img { height: 28rem; border: 1px solid #999 }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tour has left its pictures")
    folder = parser.parse_args().folder
    index(folder)
    for name, made in OF_THE_TOUR.items():
        shown = Image.open(folder / f"{made}.png")
        keep(shown.crop((0, 0, shown.width, min(shown.height, TALLEST))), name)
    with tempfile.TemporaryDirectory() as data:
        ports = (free_port(), free_port(), free_port())
        with machine(Path(data), ports) as printed, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            password = (Path(data) / "demo-login").read_text().strip()
            wide = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
            phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=2)
            product(wide, phone, printed, password)
            browser.close()


def product(wide: Page, phone: Page, printed: str, password: str) -> None:
    """Pictures of the sample album as visitors and its owner see it. `printed` is what `make run` said."""
    album, dashboard = (re.search(rf"{name} +(\S+)", printed) for name in ("Album", "Dashboard"))
    assert album and dashboard, printed
    for page, name in ((wide, "album-1440-light"), (phone, "album-390-dark")):
        page.goto(album[1])
        keep(look(page), name)
    wide.locator("#grid a").nth(2).click()
    wide.wait_for_selector("dialog[open], [role=dialog]")
    wide.wait_for_timeout(1000)
    wide.keyboard.press("i")
    keep(look(wide), "lightbox-1440")
    wide.goto(dashboard[1])
    wide.get_by_label("E-mail address").fill("owner@demo.example")
    wide.get_by_label("Password").fill(password)
    wide.get_by_role("button", name="Sign in", exact=True).click()
    wide.get_by_role("link", name="A year outdoors").first.click()
    wide.wait_for_url("**/albums/*")
    keep(look(wide), "dashboard-1440-light")


def look(page: Page) -> Image.Image:
    """The page when its pictures are there and nothing moves any more."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    return Image.open(BytesIO(page.screenshot()))


def keep(picture: Image.Image, name: str) -> None:
    """As a JPEG of at most `MOST_BYTES`."""
    for quality in (88, 80, 70, 60):
        out = BytesIO()
        picture.convert("RGB").save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= MOST_BYTES:
            break
    (DOCS / f"{name}.jpg").write_bytes(out.getvalue())


def index(folder: Path) -> None:
    """All pictures of a page side by side, in one page without scripts."""
    rows = []
    for name, files in groupby(sorted(folder.glob("*.png")), key=lambda each: re.sub(r"-\d+-\w+$", "", each.stem)):
        tiles = "".join(TILE.format(file=escape(each.name), name=escape(each.stem)) for each in files)
        rows.append(f"<h2>{escape(name)}</h2><div>{tiles}</div>")
    page = f"<!doctype html><meta charset=utf-8><title>All pages</title><style>{STYLE}</style>{''.join(rows)}"
    (folder / "index.html").write_text(page)


if __name__ == "__main__":
    main()
