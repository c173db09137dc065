"""What every app of a test process would make anew, and alike, made once in the process.

Nearly every test makes an app of its own. To compile the pages' templates, and for each of two hundred routes the two
functions that build its address, was half of what such a test cost. What is kept is code: it holds no app and no value.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


class Compiled(BytecodeCache):
    """Templates by name and file; Jinja compares the source's checksum. In memory, so no run sees another's."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self.kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


def builders_once(make: Callable[[Rule, bool], Builder]) -> Callable[..., Builder]:
    """Werkzeug's `Rule._compile_builder`, whose function reads converters from the rule that it is then bound to.

    Only a rule without defaults goes by its text alone: the values of defaults are compiled in.
    """
    kept: dict[tuple[Any, ...], Builder] = {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Builder:
        if rule.defaults:
            return make(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in kept:
            kept[key] = make(rule, append_unknown)
        return kept[key]

    return compiled


def install() -> None:
    Flask.jinja_options = {"bytecode_cache": Compiled()}
    Rule._compile_builder = builders_once(Rule._compile_builder)  # type: ignore[method-assign]
