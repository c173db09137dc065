"""Lines of CloudFront's standard logs, as the CloudFront Developer Guide has them ("Standard logging reference").

Two formats of standard logging v2 are read: W3C (which v1 wrote too), where a line `#Fields:` names the columns and
tabs stand between them, and JSON, an object a line. Fields may come in any order and number; `NEEDED` must be there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

from infra.errors import UnreadableLog
from infra.ports import Delivery

NEEDED = ("cs-method", "cs-uri-stem", "sc-bytes", "sc-status")
HOSTS = ("x-host-header", "cs(Host)")
"""The viewer's Host header; `cs(Host)` is the distribution's own name, and better than nothing."""


def deliveries(lines: Iterable[str]) -> Iterator[Delivery]:
    """Raises `UnreadableLog`, which names the line."""
    columns: list[str] | None = None
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text.startswith("#Fields:"):
            columns = text.removeprefix("#Fields:").split()
        elif text and not text.startswith("#"):
            try:
                yield _delivery(_json(text) if text.startswith("{") else _columns(text, columns))
            except (KeyError, ValueError) as error:
                raise UnreadableLog(f"line {number}: {type(error).__name__}: {error}") from error


def _json(text: str) -> Mapping[str, str]:
    return {name: str(value) for name, value in json.loads(text).items()}


def _columns(text: str, columns: list[str] | None) -> Mapping[str, str]:
    if columns is None:
        raise ValueError("no line #Fields: comes before")
    values = text.split("\t")
    if len(values) != len(columns):
        raise ValueError(f"{len(values)} fields for {len(columns)} names")
    return dict(zip(columns, values, strict=True))


def _delivery(fields: Mapping[str, str]) -> Delivery:
    if missing := [name for name in NEEDED if name not in fields]:
        raise KeyError(missing[0])
    host = next((fields[name] for name in HOSTS if fields.get(name, "-") != "-"), "")
    return Delivery(
        at=_moment(fields),
        host=host.lower(),
        method=fields["cs-method"],
        path=unquote(fields["cs-uri-stem"]),
        # 000: the viewer had gone before an answer.
        status=int(fields["sc-status"]),
        size=int(fields["sc-bytes"]),
    )


def _moment(fields: Mapping[str, str]) -> datetime:
    if "date" in fields and "time" in fields:
        return datetime.strptime(f"{fields['date']} {fields['time']}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(fields["timestamp"]), UTC)
