"""A tenant's own CSS: what does harm is left out and named, whatever way it is written."""

import re

import pytest
import tinycss2
from hypothesis import given
from hypothesis import strategies as st

from webapp.brand.css import MAX_LENGTH, MAX_RULES, sanitised


def test_what_is_safe_stays_and_is_scoped() -> None:
    css, dropped = sanitised(
        """
        /* Our look */
        h1, .album-card > h2:hover { color: #123456; letter-spacing: .02em; text-transform: uppercase }
        @media (min-width: 40rem) {
          .lead { font: 400 1.2rem/1.5 "Brand", serif; background: linear-gradient(90deg, red, rgb(0 0 0 / 50%)) }
        }
        li:nth-child(2n + 1)::marker { color: var(--accent-text) }
        """
    )
    assert dropped == ()
    assert css == (
        ".site h1,.site .album-card > h2:hover{color:#123456;letter-spacing:.02em;text-transform:uppercase}"
        '@media (min-width: 40rem){.site .lead{font:400 1.2rem/1.5 "Brand", serif;'
        "background:linear-gradient(90deg, red, rgb(0 0 0 / 50%))}}"
        ".site li:nth-child(2n + 1)::marker{color:var(--accent-text)}"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (".cre/**/dit { color: red }", ".site .cre dit{color:red}"),
        ("<!-- h1 { color: red } -->", ".site h1{color:red}"),
        ("h1 { color: re/**/d }", ".site h1{color:re d}"),
        ("h1 { color: re\\0064 }", ".site h1{color:red}"),
        ("h1 { \\63 olor: red }", ".site h1{color:red}"),
    ],
)
def test_what_a_parser_reads_otherwise_than_an_eye_is_written_plainly(text: str, left: str) -> None:
    assert sanitised(text) == (left, ())


HOSTILE = [
    # Fetching
    "h1 { background: url(https://evil.example/x) }",
    "h1 { background: URL('https://evil.example/x') }",
    "h1 { background: u\\72l(https://evil.example/x) }",
    "h1 { background: \\75 rl(https://evil.example/x) }",
    "h1 { background: u/**/rl(https://evil.example/x) }",
    "h1 { background: image-set('https://evil.example/x' 1x) }",
    "h1 { background: -webkit-image-set('https://evil.example/x' 1x) }",
    "h1 { background: image('https://evil.example/x') }",
    "h1 { background: src('https://evil.example/x') }",
    "h1 { background: linear-gradient(red, url(https://evil.example/x)) }",
    "h1 { background: var(--x, url(https://evil.example/x)) }",
    "@import 'https://evil.example/x.css';",
    "@\\69mport url(https://evil.example/x.css);",
    "@font-face { font-family: x; src: url(https://evil.example/x) }",
    "@namespace svg url(https://evil.example/);",
    "@media (min-width: 1px) { @import 'https://evil.example/x'; }",
    "h1 { cursor: url(https://evil.example/x), auto }",
    # Running
    "h1 { width: expression(alert(1)) }",
    "h1 { width: ex/**/pression(alert(1)) }",
    "h1 { behavior: url(x.htc) }",
    "h1 { -moz-binding: url(x.xml#a) }",
    "h1 { color: red; } </style><script>alert(1)</script>",
    "h1 { font-family: '</style><script>alert(1)</script>' }",
    "h1 { font-family: '\\3c /style\\3e ' }",
    "h1::after { content: '</style>' }",
    # Covering
    "h1 { position: fixed; inset: 0; z-index: 9 }",
    "h1 { POSITION: fixed }",
    "h1 { p\\6fsition: fixed }",
    "h1 { transform: scale(99) }",
    "h1 { margin: -100vh }",
    "h1 { margin-top: calc(0px - 100vh) }",
    "h1 { margin-top: calc(-1 * 100vh) }",
    "h1 { margin-top: calc(var(--s-8) * -9) }",
    "a { outline: none }",
    "h1 { display: contents }",
    # Leaving
    "body { color: red }",
    "HTML { color: red }",
    ":root { --ink: red }",
    "h1 { --ink: red }",
    ":host { color: red }",
    ":is(html, body) { color: red }",
    ":not(h1) { color: red }",
    ":has(input) { color: red }",
    "+ body { color: red }",
    "> h1 > { color: red }",
    "a[href^='https'] { color: red }",
    ".credit { color: red }",
    ".\\63redit { color: red }",
    "& { color: red }",
    "svg|a { color: red }",
    # Breaking out of a rule
    "} body { color: red }",
    "h1 { color: red !important }",
    "h1 { color: red; } } @import 'x';",
    "h1 { color: { } ; position: fixed }",
    "h1 { &:hover { color: red } }",
    "@layer x { h1 { color: red } }",
    "@supports (display: grid) { h1 { color: red } }",
    "@media screen { @media print { h1 { color: red } } }",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_css_is_left_out_and_named(text: str) -> None:
    css, dropped = sanitised(text)
    harmless(css)
    assert dropped
    assert all(one.why and one.line >= 1 for one in dropped)


def harmless(css: str) -> None:
    """What holds of any output, checked on its text and by parsing it again."""
    lowered = css.lower()
    for part in ("<", "\\", "url", "import", "expression", "image(", "image-set", "src(", "position:", "z-index",
                 "transform:", "!", "/*", "body", "html", ":root", "--ink:", ".credit", "@layer", "@font", "-100vh",
                 "* -", "evil", "content:", "behavior", "binding", "outline"):  # fmt: skip
        assert part not in lowered, css
    for rule in tinycss2.parse_stylesheet(css, skip_whitespace=True):
        assert rule.type == "qualified-rule" or rule.lower_at_keyword == "media", css
        inner = [rule] if rule.type == "qualified-rule" else tinycss2.parse_rule_list(rule.content)
        for one in inner:
            assert one.type == "qualified-rule"
            for selector in tinycss2.serialize(one.prelude).split(","):
                assert re.match(r"\.site \S", selector), css
            for declaration in tinycss2.parse_blocks_contents(one.content):
                assert declaration.type == "declaration", css


PIECES = st.sampled_from(
    ["h1", ".a", "{", "}", "(", ")", "color", ":", ";", "red", "url(x)", "/*", "*/", "\\", "\\75 ", "'", '"', "<",
     "@media", "@import", "body", ",", " ", "\n", "!important", "-1px", "expression(", "var(--x)", "&", ">", "::",
     "calc(",
     "[x]",
     "</style>", "position", "fixed", "margin", "\x00", "é", "u", "rl("]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=80))
def test_no_text_gets_anything_else_through(text: str) -> None:
    css, _ = sanitised(text)
    assert "<" not in css and "\\" not in css and "!" not in css
    assert "url" not in css.lower() and "position:" not in css
    for rule in tinycss2.parse_stylesheet(css, skip_whitespace=True):
        assert rule.type == "qualified-rule" or rule.lower_at_keyword == "media"
    again, dropped = sanitised(css.replace(".site ", ""))
    assert (again, dropped) == (css, ())


def test_too_much_is_left_out() -> None:
    assert sanitised("h1{color:red}" + " " * MAX_LENGTH)[0] == ""
    css, dropped = sanitised("h1{color:red}" * (MAX_RULES + 5))
    assert css.count("h1") == MAX_RULES
    assert len(dropped) == 1


def test_what_is_dropped_says_where() -> None:
    _, dropped = sanitised("h1 {\n  color: red;\n  position: fixed;\n}\n@import 'x';")
    assert [(one.line, one.what) for one in dropped] == [(3, "position: fixed"), (5, "@import")]
