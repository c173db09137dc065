"""Rows out of a database that somebody else wrote: a file of SQLite, or a dump by mysqldump.

Neither is trusted. SQLite opens a copy, read-only, with a bound on what a query may cost. A dump is not run: its INSERT
statements are read as text.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from infra.errors import Problem
from uploader.importing.source import Entry

Rows = dict[str, list[dict[str, Any]]]
MOST_BYTES = 2 * 1024**3
MOST_ROWS = 2_000_000
_STEPS = 100_000
_MOST_STEPS = 20_000
_CREATE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?[`\"]?(\w+)[`\"]?\s*\((.*?)\n\)", re.DOTALL | re.IGNORECASE)
_COLUMN = re.compile(r"^\s*[`\"](\w+)[`\"]\s", re.MULTILINE)
_INSERT = re.compile(r"INSERT (?:IGNORE )?INTO [`\"]?(\w+)[`\"]?\s*(?:\(([^)]*)\))?\s*VALUES\s*", re.IGNORECASE)
_VALUE = re.compile(
    r"\s*(?:(?P<null>NULL)|(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?:_binary )?'(?P<text>(?:[^'\\]|\\.|'')*)')"
    r"\s*(?P<end>[,)])",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "", "b": "", "Z": ""}


def of_sqlite(entry: Entry, tables: tuple[str, ...]) -> Rows:
    """Rows of those of the tables that are there. Raises `Problem` for what is no database, or a trap."""
    if entry.size > MOST_BYTES:
        raise Problem("too-large", f"{entry.path} is too large for the database of an album site.")
    with tempfile.TemporaryDirectory(prefix="vitrine-import-") as folder:
        copy = Path(folder, "copy.sqlite")
        with entry.open() as source, copy.open("wb") as target:
            while chunk := source.read(1024 * 1024):
                target.write(chunk)
        try:
            with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
                return _read(connection, tables)
        except sqlite3.Error as error:
            raise Problem("invalid", f"{entry.path} cannot be read as a database: {error}.") from None


def _read(connection: sqlite3.Connection, tables: tuple[str, ...]) -> Rows:
    steps = 0

    def bound() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    connection.set_progress_handler(bound, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.row_factory = sqlite3.Row
    # Ordinary tables alone: a view of that name could be anything.
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {
        name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}" LIMIT {MOST_ROWS}')]  # noqa: S608
        for name in tables
        if name in there
    }


def of_mysql(entry: Entry, endings: tuple[str, ...]) -> Rows:
    """Rows of tables whose names end so, by that ending: an installation puts a prefix of its own before."""
    if entry.size > MOST_BYTES // 8:
        raise Problem("too-large", f"{entry.path} is too large for a dump of an album site.")
    with entry.open() as file:
        text = file.read(MOST_BYTES // 8).decode("utf-8", "replace")
    columns = {found[1]: _COLUMN.findall(found[2] + "\n") for found in _CREATE.finditer(text)}
    rows: Rows = {ending: [] for ending in endings}
    for found in _INSERT.finditer(text):
        ending = next((each for each in endings if found[1] == each or found[1].endswith(f"_{each}")), None)
        if ending is None:
            continue
        names = re.findall(r"\w+", found[2]) if found[2] else columns.get(found[1], [])
        for values in _tuples(text, found.end()):
            if len(rows[ending]) < MOST_ROWS and len(values) == len(names):
                rows[ending].append(dict(zip(names, values, strict=True)))
    return rows


def _tuples(text: str, at: int) -> Iterator[list[Any]]:
    """`(1,'a'),(2,NULL);` from `at` on. Ends at the first thing that is not of that form."""
    while at < len(text) and text[at] == "(":
        values: list[Any] = []
        at += 1
        while (found := _VALUE.match(text, at)) is not None:
            at = found.end()
            values.append(_value(found))
            if found["end"] == ")":
                break
        else:
            return
        yield values
        while at < len(text) and text[at] in ", \n\r":
            at += 1


def _value(found: re.Match[str]) -> Any:
    if found["null"]:
        return None
    if found["number"]:
        return float(found["number"]) if re.search(r"[.eE]", found["number"]) else int(found["number"])
    text = found["text"].replace("''", "'")
    return re.sub(r"\\(.)", lambda escaped: _ESCAPES.get(escaped[1], escaped[1]), text, flags=re.DOTALL)
