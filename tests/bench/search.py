"""Search three ways over the same assets, on SQLite and on PostgreSQL: `python -m tests.bench.search`.

An ordinary table of words with the tenant in front (what `tenants/search.py` reads), each database's own full-text
search, and LIKE on a folded text. `VITRINE_BENCH_ASSETS` (1,000,000) assets of 100 tenants, the first of which has a
fifth of them. Each query asks for the latest 101 results of the first tenant, median of 7.
"""

import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from postgres import running  # noqa: E402

ASSETS = int(os.environ.get("VITRINE_BENCH_ASSETS", 1_000_000))
TENANTS = 100
PAGE = 101
CAMERAS = ("fujifilm x t5", "canon eos r5", "nikon z8", "sony ilce 7m4")
QUERIES = {"one in 20,000": "w19000", "one in 300": "w300", "in all of them": "jpg", "two words": "w300 fujifilm"}
Row = tuple[str, int, str, list[str]]


def assets() -> Iterator[Row]:
    """Tenant, capture time, id and words; a caption of four words from 20,000 by Zipf's law."""
    chance = random.Random(1)
    for number in range(ASSETS):
        tenant = 0 if number % 5 == 0 else chance.randrange(1, TENANTS)
        caption = [f"w{min(int(20_000 ** chance.random()), 19_999)}" for _ in range(4)]
        words = ["", *caption, "dsc", f"{number % 9999:04d}", "jpg", *chance.choice(CAMERAS).split()]
        yield f"t{tenant:02d}", 1_700_000_000 + number, f"a{number:09d}", list(dict.fromkeys(words))


WORDS = """SELECT taken_at, asset_id FROM w WHERE tenant = 't00' AND word >= '{0}' AND word < '{0}' || '\U0010ffff' {1}
 GROUP BY taken_at, asset_id ORDER BY taken_at DESC, asset_id DESC LIMIT 101"""
ALSO = """AND EXISTS (SELECT 1 FROM w o WHERE o.tenant = 't00' AND o.asset_id = w.asset_id AND o.word >= '{0}'
 AND o.word < '{0}' || '\U0010ffff')"""


def by_words(query: str) -> str:
    first, *others = query.split()
    if query == "jpg":  # More rows than `search.RARE`: everything is walked in its order.
        walk = WORDS.replace("word >= '{0}' AND word < '{0}' || '\U0010ffff'", "word = ''")
        return walk.format(first, ALSO.format(first))
    return WORDS.format(first, " ".join(ALSO.format(word) for word in others))


def by_like(query: str) -> str:
    conditions = " AND ".join(f"body LIKE '% {word}%'" for word in query.split())
    return f"SELECT taken_at, id FROM a WHERE tenant = 't00' AND {conditions} ORDER BY taken_at DESC, id DESC LIMIT 101"


def by_fts5(query: str) -> str:
    match = " ".join(f"{word}*" for word in query.split())
    return (
        f"SELECT taken_at, id FROM a JOIN f ON f.rowid = a.n WHERE f MATCH '{match}' AND tenant = 't00'"
        " ORDER BY taken_at DESC, id DESC LIMIT 101"
    )


def by_tsvector(query: str) -> str:
    match = " & ".join(f"{word}:*" for word in query.split())
    return (
        f"SELECT taken_at, id FROM a WHERE tenant = 't00' AND v @@ to_tsquery('simple', '{match}')"
        " ORDER BY taken_at DESC, id DESC LIMIT 101"
    )


def measure(run: Callable[[str], list[Any]], ways: dict[str, Callable[[str], str]]) -> None:
    for name, query in QUERIES.items():
        line = []
        for way, statement in ways.items():
            times = []
            for _ in range(7):
                start = time.perf_counter()
                run(statement(query))
                times.append(time.perf_counter() - start)
            line.append(f"{way} {statistics.median(times) * 1000:8.1f} ms")
        print(f"  {name:16}", "   ".join(line), flush=True)


def on_sqlite(folder: Path) -> None:
    database = sqlite3.connect(folder / "search.db")
    database.executescript(
        "PRAGMA synchronous=off; PRAGMA journal_mode=off; PRAGMA cache_size=-200000;"
        "CREATE TABLE a (n INTEGER PRIMARY KEY, tenant, taken_at, id, body);"
        "CREATE TABLE w (word, tenant, taken_at, asset_id, PRIMARY KEY (tenant, word, taken_at, asset_id))"
        " WITHOUT ROWID;"
        "CREATE VIRTUAL TABLE f USING fts5(body, content='', prefix='2 3');"
    )
    for number, (tenant, at, asset, words) in enumerate(assets()):
        body = " ".join(words)
        database.execute("INSERT INTO a VALUES (?, ?, ?, ?, ?)", (number, tenant, at, asset, body))
        database.execute("INSERT INTO f (rowid, body) VALUES (?, ?)", (number, body))
        database.executemany("INSERT INTO w VALUES (?, ?, ?, ?)", [(word, tenant, at, asset) for word in words])
    database.executescript(
        "CREATE INDEX wa ON w (tenant, asset_id, word); CREATE INDEX at ON a (tenant, taken_at, id);"
    )
    database.commit()
    database.execute("ANALYZE")
    measure(
        lambda statement: database.execute(statement).fetchall(), {"words": by_words, "FTS5": by_fts5, "LIKE": by_like}
    )


def on_postgres(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as database:
        database.execute("CREATE TABLE a (tenant text, taken_at int, id text, body text, v tsvector)")
        database.execute('CREATE TABLE w (tenant text, word text COLLATE "C", taken_at int, asset_id text)')
        with database.cursor() as cursor:
            with cursor.copy("COPY a (tenant, taken_at, id, body) FROM STDIN") as copy:
                for tenant, at, asset, words in assets():
                    copy.write_row((tenant, at, asset, " ".join(words)))
            with cursor.copy("COPY w FROM STDIN") as copy:
                for tenant, at, asset, words in assets():
                    for word in words:
                        copy.write_row((tenant, word, at, asset))
        database.execute("UPDATE a SET v = to_tsvector('simple', body)")
        database.execute("CREATE INDEX ON a USING gin (v)")
        database.execute("CREATE INDEX ON a (tenant, taken_at, id)")
        database.execute("ALTER TABLE w ADD PRIMARY KEY (tenant, word, taken_at, asset_id)")
        database.execute("CREATE INDEX ON w (tenant, asset_id, word)")
        database.execute("VACUUM ANALYZE")
        measure(
            lambda statement: database.execute(statement.encode()).fetchall(),
            {"words": by_words, "tsvector": by_tsvector, "LIKE": by_like},
        )


if __name__ == "__main__":
    print(f"{ASSETS:,} assets of {TENANTS} tenants, the first has a fifth of them")
    with tempfile.TemporaryDirectory() as place:
        print("SQLite", flush=True)
        on_sqlite(Path(place))
    print("PostgreSQL", flush=True)
    with running() as server:
        on_postgres(server.dsn("postgres", server.copy("template1")))
