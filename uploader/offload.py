"""Where blocking work runs, so that gevent's event loop never waits for a disk, a hash or a database lock.

Under gevent there are three lanes. BYTES hashes and writes, which release the interpreter lock, in a few native
threads; FAST does so for whole runs of bytes that it also receives (`burst`). DATABASE is everything that a request
does with its session. With SQLite it is one native thread, so that two transactions of one process can never wait for
each other while one of them holds the write lock. With PostgreSQL it is the greenlet itself, since psycopg waits
cooperatively; several native threads would share the pool's locks, which gevent has replaced, and one could wait for
ever for a lock that is free. Without gevent (tests, the command line, other servers) work simply runs where it is
asked for.
"""

import contextvars
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar, cast

from flask import Flask
from gevent import get_hub, monkey
from gevent.threadpool import ThreadPool

from tenants.db import db

P = ParamSpec("P")
R = TypeVar("R")

BYTES = "bytes"
FAST = "fast"
DATABASE = "database"

_FAST_THREADS = 10  # Two for each burst, and two to spare: one that ends may still hold its threads for a moment.
_BYTES_THREADS = 8


def is_cooperative() -> bool:
    """Whether this process runs on gevent's event loop."""
    return bool(monkey.is_module_patched("threading"))


class Pending(Generic[R]):
    """A call under way. `get` waits for it and returns or raises what it did."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    def wait(self, seconds: float) -> bool:
        """Whether it is done, after waiting up to `seconds`."""
        if isinstance(self._outcome, tuple):
            return True
        self._outcome.wait(seconds)
        return bool(self._outcome.ready())

    def get(self) -> R:
        outcome = self._outcome if isinstance(self._outcome, tuple) else self._outcome.get()
        value, error = outcome
        if error is not None:
            raise error
        return cast(R, value)


def start(lane: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Pending[R]:
    """Begin a call in a lane, with the caller's context (the app, the request)."""

    def call() -> R:
        return function(*args, **kwargs)

    if not is_cooperative() or (lane == DATABASE and db.engine.dialect.name == "postgresql"):
        return Pending(_outcome(call))
    return Pending(_pool(lane).spawn(contextvars.copy_context().run, _outcome, call))


def call(lane: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a call in a lane and wait for it; other greenlets go on meanwhile."""
    return start(lane, function, *args, **kwargs).get()


def database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a call that uses the session; on return the session holds no connection."""

    def call() -> R:
        try:
            return function(*args, **kwargs)
        finally:
            db.session.rollback()

    return start(DATABASE, call).get()


def in_app(app: Flask, lane: str = DATABASE) -> Callable[[Callable[[], None]], None]:
    """Runs calls in a lane for whoever has no request: a timer, say."""

    def run(function: Callable[[], None]) -> None:
        with app.app_context():
            call(lane, function)

    return run


def _outcome(call: Callable[[], R]) -> tuple[R | None, BaseException | None]:
    # The error travels as a value: gevent would print the traceback of every refused request otherwise.
    try:
        return call(), None
    except Exception as error:
        return None, error


@cache
def _pool(lane: str) -> ThreadPool:
    threads = {DATABASE: 1, FAST: _FAST_THREADS, BYTES: _BYTES_THREADS}
    return ThreadPool(threads[lane], hub=get_hub())
