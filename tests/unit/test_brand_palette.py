"""Whatever two colours are accepted, every colour that follows from them can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.registry import Brand, Theme
from webapp.brand import palette
from webapp.brand.colours import FINDABLE, READABLE, contrast, nearest

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colours, colours, colours, st.sampled_from(Theme), st.booleans())
def test_suggestions_lead_to_a_readable_brand(paper: str, ink: str, accent: str, theme: Theme, dark: bool) -> None:
    name = "dark" if dark else "light"
    brand = Brand(accent=accent, theme=theme, **{f"paper_{name}": paper, f"ink_{name}": ink})
    for _ in range(3):  # Paper, then ink on it, then the accent on both.
        for refusal in palette.refusals(brand):
            assert refusal.suggestion is not None
            setattr(brand, refusal.field, refusal.suggestion)
    assert palette.refusals(brand) == []
    shown = palette.papers(brand, dark=dark)
    for behind in (shown.paper, shown.surface, shown.surface_2):
        assert contrast(shown.ink, behind) >= READABLE
        assert contrast(shown.ink_2, behind) >= READABLE
    assert contrast(shown.line_strong, shown.paper) >= FINDABLE
    written = palette.declarations(brand.accent, palette.papers(brand, dark=False), palette.papers(brand, dark=True))
    properties = dict(part.split(":") for part in written.split(";") if part)
    for text in ("accent-text", "danger", "ok", "warn"):
        if f"--{text}-{name}" in properties:
            assert contrast(properties[f"--{text}-{name}"], shown.surface_2) >= READABLE


@pytest.mark.parametrize("name", palette.PRESETS)
def test_what_is_offered_to_start_from_is_readable(name: str) -> None:
    light, dark_ink = palette.PRESETS[name][:2], palette.PRESETS[name][2:]
    brand = Brand(
        accent="#3a5a78",
        theme=Theme.AUTO,
        paper_light=light[0],
        ink_light=light[1],
        paper_dark=dark_ink[0],
        ink_dark=dark_ink[1],
    )
    assert palette.refusals(brand) == []


def test_what_is_wrong_is_told_with_the_nearest_that_is_right() -> None:
    brand = Brand(accent="#3a5a78", theme=Theme.AUTO, paper_light="#ffffff", ink_light="#9a9a9a")
    (refusal,) = palette.refusals(brand)
    assert refusal.field == "ink_light"
    assert "contrast 2" in refusal.said % refusal.values
    assert refusal.suggestion is not None
    assert contrast(refusal.suggestion, "#ffffff") < 6  # Not black: as near to what was asked for as can be read.
    swapped = Brand(accent="#3a5a78", theme=Theme.AUTO, paper_light="#101010", ink_light="#ffffff")
    assert palette.refusals(swapped)[0].field == "paper_light"


def test_the_nearest_may_lie_either_way() -> None:
    assert nearest("#777777", lambda one: contrast(one, "#000000") >= READABLE + 0.3) == "#797979"
    assert nearest("#777777", lambda one: contrast(one, "#ffffff") >= READABLE) == "#767676"
    assert nearest("#777777", lambda _: False) is None
