"""A real PostgreSQL server of the tests' own, with the two roles of a deployment (`infra/migrations/roles.sql`).

Debian's server programs run as the `postgres` user, on a free port of the loopback interface, in a folder that is
removed afterwards. Commits do not wait for the disk (fsync is off) but are handed to the kernel, so what is committed
survives the server's sudden death as it does in production; only the machine's would lose it.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import in_memory
import psycopg
import pytest
from in_memory import GIB
from loopback import end_with_the_tests
from sqlalchemy import Engine, MetaData

from infra.sql import connect

OWNER, SERVING = "vitrine_owner", "vitrine_serving"
_PASSWORD = "only-for-tests"
_FAST = {"fsync": "off", "shared_buffers": "128MB", "max_connections": "80", "max_wal_size": "256MB"}
_QUIET = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1", "log_min_messages": "fatal"}


class Server:
    """One cluster. `url` names it as SQLAlchemy does, `connect` opens psycopg's own connections."""

    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def create(self) -> None:
        """Make the cluster, start it, and make the roles."""
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
            shutil.chown(self._folder, "postgres", "postgres")
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.start()
        roles = Path(__file__).parents[1] / "infra/migrations/roles.sql"
        given = [f"--set={name}_password={_PASSWORD}" for name in ("owner", "serving")]
        subprocess.run(
            [self._programs / "psql", "-X", "-q", *given, "-f", roles, self.dsn("postgres", "postgres")],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in {**_FAST, **_QUIET}.items()]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *settings],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_the_tests,
            **self._user,
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.dsn("postgres", "postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown; SIGQUIT an immediate one, as after a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def dsn(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def urls(self, database: str) -> dict[str, str]:
        """Settings of a deployment on `database`."""
        return {"database_url": self.dsn(SERVING, database), "database_owner_url": self.dsn(OWNER, database)}

    def copy(self, template: str) -> str:
        """The name of a new database with everything that `template` has."""
        name = f"test_{next(self._names)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        self._administer(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # our own names

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, arguments)],
            check=True,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            **self._user,
        )


def _programs() -> Path:
    """Where Debian keeps the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.fail("PostgreSQL's server is not installed: `make setup-test`, or deselect with -m 'not postgres'")
    return found[-1].parent


@contextmanager
def running() -> Iterator[Server]:
    """A server for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="vitrine-postgres-", dir=in_memory.place(2 * GIB)) as folder:
        server = Server(Path(folder))
        try:
            server.create()
            yield server
        finally:
            server.stop()
            if os.geteuid() == 0:
                shutil.chown(folder, "root", "root")


@cache
def shared() -> Server:
    """The server of the whole run, started when first asked for; each test makes a database of its own on it."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())


@pytest.fixture(scope="session")
def postgres() -> Server:
    return shared()


@contextmanager
def empty_engine(tables: MetaData) -> Iterator[Engine]:
    """The owner's engine on a database that has these tables and no rows."""
    engine = connect(shared().dsn(OWNER, _scratch()))
    tables.drop_all(engine)
    tables.create_all(engine)
    yield engine
    engine.dispose()


@cache
def _scratch() -> str:
    return shared().copy("template1")
