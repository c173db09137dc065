"""Which statements an app sends to its database, by its sessions or apart from them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import event

from tenants.db import db
from tenants.prepared import Asking, Question, Rows


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []
    ask = Asking.ask

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    def noted(asking: Asking, tenant_id: str, *questions: Question) -> list[Rows]:
        seen.extend(statement.made(asking.engine.dialect).text for statement, _ in questions)
        return ask(asking, tenant_id, *questions)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Asking, "ask", noted)
            yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
