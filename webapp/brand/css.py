"""A tenant's own CSS, reduced to what can do no harm: looks, below one class, nothing fetched, nothing laid over.

The text is parsed by CSS Syntax Level 3 (tinycss2) and written again from what an allow-list knows. Whatever a browser
could read otherwise than the parser, such as an escape, a comment or a `<`, is not in the output at all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import tinycss2

from infra.errors import N_
from webapp.brand import css_allowed as allowed

SCOPE = ".site"
"""The class of the site's `<body>`: rules reach only what is inside."""
MAX_LENGTH = 20_000
MAX_RULES = 300

_PLAIN = re.compile(r"-?[a-zA-Z_][a-zA-Z0-9_-]*")
_NEGATIVE = re.compile(r"(?<![a-zA-Z0-9_-])-(\.?\d|\s|\()")
"""A negative number, or a difference, which may become one."""
_SPACE = tinycss2.ast.WhitespaceToken(1, 1, " ")
_STRING = re.compile(r"[^<>\\\"\n\r\f]*")


@dataclass(frozen=True)
class Dropped:
    """Something that was left out: where, what and why, for whoever wrote it. `values` fill the `%(name)s` of the
    sentence, which is not translated yet: what is read once is kept for readers of every language."""

    line: int
    what: str
    sentence: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def why(self) -> str:
        return self.sentence % self.values if self.values else self.sentence


@dataclass
class _Reading:
    rules: int = 0
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, node: Any, why: "str | _Refused", what: str | None = None) -> None:
        refused = why if isinstance(why, _Refused) else _Refused(why)
        shown = what if what is not None else tinycss2.serialize([node])
        what = " ".join(shown.split()).rstrip("; ")[:80]
        self.dropped.append(Dropped(node.source_line, what, refused.sentence, refused.values))


class _Refused(Exception):
    """Why a selector or a value is left out."""

    def __init__(self, sentence: str, **values: str) -> None:
        super().__init__(sentence)
        self.sentence, self.values = sentence, values


@lru_cache(maxsize=512)
def safe(text: str) -> str:
    """The part of `text` that is safe, scoped; free of `<`."""
    return sanitised(text)[0]


@lru_cache(maxsize=128)
def sanitised(text: str) -> tuple[str, tuple[Dropped, ...]]:
    """The safe part, and what was dropped in the order of the text."""
    if len(text) > MAX_LENGTH:
        return "", (Dropped(1, "…", N_("more than %(most)s characters"), {"most": f"{MAX_LENGTH:,}"}),)
    reading = _Reading()
    css = "".join(_rules(tinycss2.parse_stylesheet(text, skip_whitespace=True), reading))
    if "<" in css or "\\" in css:
        raise AssertionError("the allow-list let a character through that may end the style element")
    return css, tuple(sorted(reading.dropped, key=lambda one: one.line))


def _rules(nodes: list[Any], reading: _Reading, *, nested: bool = False) -> Iterator[str]:
    for node in nodes:
        if node.type == "qualified-rule":
            reading.rules += 1
            if reading.rules > MAX_RULES:
                reading.drop(node, _Refused("more than %(most)s rules", most=str(MAX_RULES)), _shown(node))
                return
            yield from _rule(node, reading)
        elif node.type == "at-rule" and node.lower_at_keyword == "media" and node.content and not nested:
            yield from _media(node, reading)
        elif node.type == "at-rule":
            reading.drop(node, N_("only @media may be used, and not inside another"), f"@{node.at_keyword}")
        elif node.type == "error":
            reading.drop(node, N_("this could not be read as CSS"), node.message)


def _media(node: Any, reading: _Reading) -> Iterator[str]:
    try:
        condition = _condition(node.prelude)
    except _Refused as refused:
        reading.drop(node, refused, "@media " + tinycss2.serialize(node.prelude))
        return
    nodes = tinycss2.parse_rule_list(node.content, skip_whitespace=True)
    inner = "".join(_rules(nodes, reading, nested=True))
    if inner:
        yield f"@media {condition}{{{inner}}}"


def _condition(tokens: list[Any]) -> str:
    """A media query of idents, numbers and parentheses: what `(min-width: 40rem) and (hover)` needs."""
    parts = []
    for token in tokens:
        if token.type == "() block":
            parts.append(f"({_condition(token.content)})")
        elif token.type == "ident" and _PLAIN.fullmatch(token.value):
            parts.append(token.value)
        elif token.type in ("dimension", "number") or (token.type == "literal" and token.value in ":,/"):
            parts.append(_text(token))
        elif token.type in ("whitespace", "comment"):
            parts.append(" ")
        else:
            raise _Refused("%(what)s is not allowed in a media query", what=tinycss2.serialize([token])[:20])
    return "".join(parts).strip()


def _rule(node: Any, reading: _Reading) -> Iterator[str]:
    selectors = []
    for one in _split(node.prelude):
        try:
            selectors.append(f"{SCOPE} {_selector(one)}")
        except _Refused as refused:
            reading.drop(node, refused, tinycss2.serialize(one).strip())
    if not selectors:
        return
    kept = list(_declarations(node, reading))
    if kept:
        yield f"{','.join(selectors)}{{{';'.join(kept)}}}"


def _split(tokens: list[Any]) -> Iterator[list[Any]]:
    """The selectors of a list, at its commas."""
    one: list[Any] = []
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            yield one
            one = []
        elif token.type == "comment":
            one.append(_SPACE)  # Left out, it would join two names into a third.
        else:
            one.append(token)
    yield one


def _selector(tokens: list[Any]) -> str:
    """A selector of types, classes and harmless pseudo-classes. Raises `_Refused`."""
    text = ""
    rest = iter(_trimmed(tokens))
    for token in rest:
        if token.type == "whitespace":
            text += " "
        elif token.type == "ident":
            text += _type(token)
        elif token.type == "literal" and token.value == ".":
            text += "." + _class(next(rest, None))
        elif token.type == "literal" and token.value == ":":
            text += ":" + _pseudo(next(rest, None), rest)
        elif token.type == "literal" and token.value in (">", "+", "~") and text:
            text += token.value
        elif token.type == "literal" and token.value == "*":
            text += "*"
        else:
            raise _Refused("selectors are made of elements, classes and :hover and the like")
    if not text or text.rstrip()[-1] in ">+~":
        raise _Refused("the selector is not complete")
    return text


def _trimmed(tokens: list[Any]) -> list[Any]:
    start, end = 0, len(tokens)
    while start < end and tokens[start].type == "whitespace":
        start += 1
    while end > start and tokens[end - 1].type == "whitespace":
        end -= 1
    return tokens[start:end]


def _type(token: Any) -> str:
    if token.lower_value in allowed.OUTSIDE:
        raise _Refused(
            "%(what)s is outside of what may be styled; its colours and type are set above", what=str(token.value)
        )
    if not _PLAIN.fullmatch(token.value):
        raise _Refused("names are made of letters, digits, - and _")
    return str(token.lower_value)


def _class(token: Any) -> str:
    if token is None or token.type != "ident" or not _PLAIN.fullmatch(token.value):
        raise _Refused("a class name is made of letters, digits, - and _")
    if token.value in allowed.RESERVED:
        raise _Refused(".%(what)s belongs to the site and cannot be styled", what=str(token.value))
    return str(token.value)


def _pseudo(token: Any, rest: Iterator[Any]) -> str:
    if token is not None and token.type == "literal" and token.value == ":":
        name = next(rest, None)
        if name is not None and name.type == "ident" and name.lower_value in allowed.PSEUDO_ELEMENTS:
            return ":" + str(name.lower_value)
    elif token is not None and token.type == "ident" and token.lower_value in allowed.PSEUDO_CLASSES:
        return str(token.lower_value)
    elif token is not None and token.type == "function" and token.lower_name in allowed.COUNTING:
        inner = tinycss2.serialize(token.arguments).replace("/**/", "").strip().lower()
        if re.fullmatch(r"[0-9n+\- ]{1,12}|odd|even", inner):
            return f"{token.lower_name}({inner})"
    raise _Refused("this pseudo-class or pseudo-element is not allowed")


def _declarations(rule: Any, reading: _Reading) -> Iterator[str]:
    for node in tinycss2.parse_blocks_contents(rule.content, skip_whitespace=True):
        if node.type == "error":
            reading.drop(node, N_("this could not be read as CSS"), node.message)
        elif node.type not in ("declaration", "comment"):
            reading.drop(node, N_("rules inside rules are not allowed"), _shown(node))
        elif node.type == "declaration":
            try:
                yield f"{_property(node)}:{_value(node)}"
            except _Refused as refused:
                reading.drop(node, refused)


def _property(node: Any) -> str:
    if node.lower_name not in allowed.PROPERTIES:
        raise _Refused("the property %(what)s is not among those that may be set", what=node.name[:40])
    if node.important:
        raise _Refused("!important is not allowed; rules here win already")
    return str(node.lower_name)


def _value(node: Any) -> str:
    text = _inside(node.value)
    if not text:
        raise _Refused("the value is empty")
    if node.lower_name.startswith(allowed.NEVER_NEGATIVE) and _NEGATIVE.search(text):
        raise _Refused("negative lengths could lay things over others")
    if node.lower_name == "display" and text.lower() not in allowed.DISPLAYS:
        raise _Refused("display may be one of %(known)s", known=", ".join(sorted(allowed.DISPLAYS)))
    return text


def _text(token: Any) -> str:
    """A token of a value, written afresh. Raises `_Refused`."""
    kind = token.type
    if kind in ("whitespace", "comment"):
        return " "
    if kind == "ident" and re.fullmatch(r"-{0,2}[a-zA-Z_][a-zA-Z0-9_-]*", token.value):
        return str(token.value)
    if kind in ("number", "percentage", "dimension"):
        return _number(token)
    if kind == "hash" and re.fullmatch(r"[0-9a-fA-F]{3,8}", token.value):
        return f"#{token.value}"
    if kind == "string" and _STRING.fullmatch(token.value):
        return f'"{token.value}"'
    if kind == "literal" and token.value in (",", "/", "+", "-", "*", ":"):
        return str(token.value)
    if kind == "() block":
        return f"({_inside(token.content)})"
    if kind == "function" and token.lower_name in allowed.FUNCTIONS:
        return f"{token.lower_name}({_inside(token.arguments)})"
    if kind in ("url", "function"):
        name = "url" if kind == "url" else token.name
        raise _Refused(
            "%(what)s() is not allowed: nothing may be fetched, and only colours and sizes be computed", what=name[:40]
        )
    raise _Refused("the value holds something that is not allowed")


def _inside(tokens: list[Any]) -> str:
    return "".join(_text(token) for token in tokens).strip()


def _number(token: Any) -> str:
    unit = {"number": "", "percentage": "%"}.get(token.type) or getattr(token, "lower_unit", "")
    if unit not in allowed.UNITS or not re.fullmatch(r"[+-]?[0-9.]{1,12}", token.representation):
        raise _Refused("a number is too long, or its unit not allowed")
    return f"{token.representation}{unit}"


def _shown(rule: Any) -> str:
    return str(tinycss2.serialize(rule.prelude).strip() if getattr(rule, "prelude", None) else rule.type)
