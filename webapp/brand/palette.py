"""From a tenant's paper and ink to every colour of its pages, and which of them are refused.

A tenant chooses two colours a theme; surfaces, lines and quiet text are mixed from them, so that no choice of two
readable colours leads to a third that is not.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from infra.errors import N_
from tenants.registry import Brand, Theme
from webapp.brand.colours import (
    FINDABLE,
    READABLE,
    colour,
    contrast,
    ink_on,
    luminance,
    mix,
    nearest,
    readable_on,
    rgb,
)

DANGER, OK, WARN = ("#b3261e", "#ff8a80"), ("#1f6f43", "#7fd1a3"), ("#8a5300", "#f0b860")
"""As tokens.css has them: light, dark."""
BRIGHT, DARK = 0.45, 0.12
"""A light theme's paper has at least this luminance, a dark one's at most that: a form's own parts follow the theme."""


@dataclass(frozen=True)
class Papers:
    """One theme's backgrounds and text. `surface_2` is the one on which text is hardest to read."""

    paper: str
    surface: str
    surface_2: str
    line: str
    line_strong: str
    ink: str
    ink_2: str


LIGHT = Papers("#ffffff", "#f6f6f4", "#ecece9", "#dcdcd7", "#85857f", "#16181b", "#5a5d61")
NIGHT = Papers("#121416", "#1b1e21", "#262a2e", "#33383d", "#7b8188", "#f0f1f2", "#a9aeb4")
"""As tokens.css has them."""

PRESETS = {
    N_("Linen"): ("#faf6ef", "#2a2119", "#1c1814", "#f3ebe0"),
    N_("Mist"): ("#f3f6f8", "#17212b", "#0f171e", "#e6eef4"),
    N_("Sage"): ("#f3f6f0", "#1c261c", "#131a14", "#e8efe4"),
    N_("Blush"): ("#fdf4f3", "#2d1a1d", "#1e1416", "#f7e6e6"),
    N_("Ink"): ("#ffffff", "#000000", "#000000", "#f5f5f5"),
}
"""Pairs to start from: paper and ink of the light theme, then of the dark one."""


@lru_cache(maxsize=512)
def derived(paper: str, ink: str) -> Papers:
    """The rest of a theme, from its two colours."""
    paper, ink = colour(paper), colour(ink)
    surface_2 = mix(paper, ink, 0.08)
    return Papers(
        paper=paper,
        surface=mix(paper, ink, 0.035),
        surface_2=surface_2,
        line=mix(paper, ink, 0.16),
        line_strong=_towards(paper, ink, paper, FINDABLE, 0.48),
        ink=ink,
        ink_2=_towards(paper, ink, surface_2, READABLE, 0.7),
    )


def _towards(paper: str, ink: str, behind: str, wanted: float, start: float) -> str:
    """From `start` on the way from paper to ink, as far as `wanted` contrast with what is `behind` asks."""
    for step in range(21):
        candidate = mix(paper, ink, start + (1 - start) * step / 20)
        if contrast(candidate, behind) >= wanted:
            return candidate
    return ink


def papers(brand: Brand, *, dark: bool) -> Papers:
    """The theme's colours: the brand's, or the product's own."""
    paper, ink = (brand.paper_dark, brand.ink_dark) if dark else (brand.paper_light, brand.ink_light)
    return derived(paper, ink) if paper and ink else (NIGHT if dark else LIGHT)


def declarations(accent: str, light: Papers, dark: Papers) -> str:
    """Custom properties for tokens.css: accent-coloured text, and all colours of the themes that the brand changes."""
    text = ""
    for at, name, shown in ((0, "light", light), (1, "dark", dark)):
        text += f"--accent-text-{name}:{readable_on(accent, shown.surface_2)};"
        if shown in (LIGHT, NIGHT):
            continue
        danger, ok, warn = (readable_on(pair[at], shown.surface_2) for pair in (DANGER, OK, WARN))
        values = {
            **{field.replace("_", "-"): value for field, value in vars(shown).items()},
            "danger": danger,
            "danger-surface": mix(shown.paper, danger, 0.1),
            "ok": ok,
            "warn": warn,
        }
        text += "".join(f"--{key}-{name}:{value};" for key, value in values.items())
    return text


@dataclass(frozen=True)
class Refusal:
    """What is wrong with the colour in `field`, and one that would do. `values` fill the `%(name)s` of what is said."""

    field: str
    said: str
    suggestion: str | None
    values: dict[str, str] = dataclasses.field(default_factory=dict)


def refusals(brand: Brand) -> list[Refusal]:
    """Every colour of the brand that people could hardly read or find, each with the nearest that they could."""
    found = []
    for dark, name in ((False, "light"), (True, "dark")):
        paper, ink = getattr(brand, f"paper_{name}"), getattr(brand, f"ink_{name}")
        if paper and ink:
            found += _paper(paper, f"paper_{name}", dark=dark) or _ink(paper, ink, f"ink_{name}")
    if not found and not usable(brand.accent, brand):
        offered = nearest(brand.accent, lambda one: usable(one, brand))
        found.append(Refusal("accent", N_("People could hardly read or find this colour."), offered))
    return found


def _paper(paper: str, field: str, *, dark: bool) -> list[Refusal]:
    fits: Callable[[str], bool] = _is_dark if dark else _is_bright
    if fits(paper):
        return []
    said = N_("This is too bright for the dark theme.") if dark else N_("This is too dark for the light theme.")
    return [Refusal(field, said, nearest(paper, fits))]


def _ink(paper: str, ink: str, field: str) -> list[Refusal]:
    behind = mix(paper, ink, 0.08)
    ratio = contrast(ink, behind)
    if ratio >= READABLE:
        return []
    said = N_("Text in this colour is hard to read: contrast %(ratio)s, at least %(least)s is needed.")
    better = nearest(ink, lambda one: contrast(one, mix(paper, one, 0.08)) >= READABLE)
    return [Refusal(field, said, better, {"ratio": f"{ratio:.1f}", "least": str(READABLE)})]


def _is_bright(paper: str) -> bool:
    return luminance(rgb(paper)) >= BRIGHT


def _is_dark(paper: str) -> bool:
    return luminance(rgb(paper)) <= DARK


def usable(accent: str, brand: Brand) -> bool:
    """Whether a button in this colour stands out from the page and its label can be read.

    With the theme AUTO the light page decides: on the dark one the site lightens what it draws with the accent.
    """
    behind = papers(brand, dark=brand.theme is Theme.DARK).surface_2
    return contrast(accent, behind) >= FINDABLE and contrast(accent, ink_on(accent)) >= READABLE
