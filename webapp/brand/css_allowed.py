"""What a tenant's own CSS may use: everything about looks and spacing, nothing that fetches, covers or leaves."""

_SIDES = ("top", "right", "bottom", "left", "block", "inline")
_ENDS = ("block-start", "block-end", "inline-start", "inline-end")
_CORNERS = (
    *(f"{block}-{inline}" for block in ("top", "bottom") for inline in ("left", "right")),
    *(f"{block}-{inline}" for block in ("start", "end") for inline in ("start", "end")),
)

PROPERTIES = frozenset(
    [
        "color", "background", "background-color", "background-image", "background-size", "background-position",
        "background-repeat", "opacity", "box-shadow", "text-shadow", "filter", "mix-blend-mode", "accent-color",
        "font", "font-family", "font-size", "font-style", "font-weight", "font-variant", "font-variant-caps",
        "font-variant-numeric", "font-feature-settings", "font-kerning", "font-stretch",
        "line-height", "letter-spacing", "word-spacing", "text-align", "text-indent", "text-transform", "text-wrap",
        "text-decoration", "text-decoration-color", "text-decoration-line", "text-decoration-style",
        "text-decoration-thickness", "text-underline-offset", "white-space", "hyphens", "overflow-wrap",
        "list-style-type", "vertical-align",
        "width", "min-width", "max-width", "height", "min-height", "max-height", "inline-size", "block-size",
        "min-inline-size", "max-inline-size", "min-block-size", "max-block-size", "aspect-ratio",
        "object-fit", "object-position",
        "margin", "padding", "gap", "row-gap", "column-gap",
        *(f"{box}-{side}" for box in ("margin", "padding") for side in (*_SIDES, *_ENDS)),
        "border", "border-width", "border-style", "border-color", "border-radius",
        *(f"border-{side}" for side in (*_SIDES, *_ENDS)),
        *(f"border-{side}-{what}" for side in (*_SIDES, *_ENDS) for what in ("width", "style", "color")),
        *(f"border-{corner}-radius" for corner in _CORNERS),
        "display", "flex", "flex-basis", "flex-direction", "flex-flow", "flex-grow", "flex-shrink", "flex-wrap",
        "order", "grid-template-columns", "grid-auto-flow", "justify-content", "justify-items", "justify-self",
        "align-content", "align-items", "align-self", "place-content", "place-items", "place-self",
        "transition", "transition-duration", "transition-property", "transition-timing-function",
    ]
)  # fmt: skip
"""Not `position`, `z-index`, `transform`, `float` or `outline`: nothing is laid over other things, and focus stays
visible. Not `content`, `cursor`, `animation` or custom properties: the site's own are not redefined."""

NEVER_NEGATIVE = ("margin", "text-indent", "letter-spacing", "word-spacing")
DISPLAYS = frozenset({"block", "inline", "inline-block", "flex", "inline-flex", "grid", "inline-grid", "none"})

FUNCTIONS = frozenset(
    [
        "rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color-mix",
        "linear-gradient", "radial-gradient", "conic-gradient", "repeating-linear-gradient",
        "repeating-radial-gradient", "repeating-conic-gradient",
        "calc", "min", "max", "clamp", "minmax", "repeat", "fit-content", "var", "cubic-bezier", "steps",
        "blur", "brightness", "contrast", "grayscale", "saturate", "sepia", "drop-shadow", "hue-rotate", "invert",
    ]
)  # fmt: skip

UNITS = frozenset(
    ["", "%", "px", "rem", "em", "ch", "ex", "lh", "rlh", "vw", "vh", "vmin", "vmax", "svh", "dvh", "lvh", "svw", "dvw",
     "vi", "vb", "cqi", "cqw", "fr", "deg", "turn", "rad", "s", "ms", "pt", "cm", "mm", "in", "pc"]
)  # fmt: skip

PSEUDO_CLASSES = frozenset(
    ["hover", "focus", "focus-visible", "focus-within", "active", "link", "visited", "first-child", "last-child",
     "only-child", "first-of-type", "last-of-type", "empty"]
)  # fmt: skip
COUNTING = frozenset({"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"})
PSEUDO_ELEMENTS = frozenset({"first-letter", "first-line", "marker", "selection", "placeholder"})

OUTSIDE = frozenset({"html", "body", "head", "style", "script", "link", "meta", "iframe", "object", "embed"})
RESERVED = frozenset({"site", "skip", "visually-hidden", "credit", "pswp"})
"""Classes that a rule may not name: the way past the header for a keyboard, the host's credit, the lightbox."""
