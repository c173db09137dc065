"""A process that ends before a statement of the test's choosing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event as sql_event

from tenants.db import db


class Crash(BaseException):
    """The process ends here: nothing catches it."""


@contextmanager
def dying_at(statement: int) -> Iterator[Callable[[], bool]]:
    """Die before the n-th statement or commit; yields whether that has happened."""
    passed = 0

    def strike(*_: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == statement:
            raise Crash

    sql_event.listen(db.engine, "before_cursor_execute", strike)
    sql_event.listen(db.engine, "commit", strike)
    try:
        yield lambda: passed >= statement
    finally:
        sql_event.remove(db.engine, "before_cursor_execute", strike)
        sql_event.remove(db.engine, "commit", strike)
