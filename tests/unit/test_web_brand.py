"""Any colour that a tenant may choose leaves text readable, and nothing of it is taken for more than a colour."""

import pytest
from conftest import World
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from visits import visitor

from tenants.registry import Font, Theme
from tenants.scope import open_site
from webapp.brand.colours import READABLE, colour, contrast, ink_on, readable_on
from webapp.brand.palette import LIGHT, NIGHT

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colours)
def test_ink_on_any_accent_is_readable(accent: str) -> None:
    assert contrast(ink_on(accent), accent) >= READABLE


@given(colours, st.sampled_from([LIGHT.surface_2, NIGHT.surface_2]))
def test_accent_coloured_text_is_readable_and_stays_what_it_was_where_it_can(accent: str, paper: str) -> None:
    shown = readable_on(accent, paper)
    assert contrast(shown, paper) >= READABLE
    if contrast(accent, paper) >= READABLE:
        assert shown == accent


def test_contrast_is_that_of_the_specification() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("text", ["red;}body{display:none", "#12", "", "#zzzzzz", "url(x)"])
def test_what_is_no_colour_never_reaches_the_stylesheet(text: str) -> None:
    assert len(colour(text)) == 7
    assert set(colour(text)[1:]) <= set("0123456789abcdef")


@pytest.mark.parametrize("font", list(Font))
def test_a_page_preloads_its_one_font(web: Flask, world: World, font: Font) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.tenant.brand.font = font
        site.tenant.brand.theme = Theme.LIGHT
        site.tenant.brand.tagline = "<i>Slow</i> & quiet"
        site.session.commit()
    page = visitor(web).get("/").text
    preloads = [line for line in page.splitlines() if 'rel="preload"' in line]
    assert len(preloads) == 1
    address = preloads[0].partition('href="')[2].partition('"')[0]
    font_file = visitor(web).get(address)
    assert font_file.data.startswith(b"wOF2")
    assert "immutable" in font_file.headers["Cache-Control"]
    assert 'data-theme="light"' in page
    assert "&lt;i&gt;Slow&lt;/i&gt; &amp; quiet" in page
