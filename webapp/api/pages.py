"""Lists in pages: `{"items": […], "next": "…"}`. The cursor names a place in an order, not a number of rows, so nothing
is left out or told twice when the list changes meanwhile. It is signed, and good for its own list only."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from marshmallow import fields, validate

from infra.errors import N_, Problem
from tenants.scope import secret
from webapp.api.parsing import Query
from webapp.api.shapes import nothing

MOST, USUAL = 200, 50
Row = TypeVar("Row")
Place = tuple[Any, str]
"""The key of an order, and the id that breaks ties."""


class PageQuery(Query):
    """Which page of a list."""

    limit = fields.Integer(
        load_default=USUAL,
        validate=validate.Range(1, MOST),
        metadata={"description": "How many at most.", "default": USUAL},
    )
    cursor = fields.String(
        load_default=nothing,
        validate=validate.Length(1, 500),
        metadata={"description": "`next` of the page before; none for the first page."},
    )


class Cursor:
    """Places in one list."""

    def __init__(self, *about: str) -> None:
        self._signer = URLSafeSerializer(secret(), salt="api page:" + ":".join(about))

    def at(self, key: Any, row_id: str) -> str:
        signed: str = self._signer.dumps([key.isoformat() if isinstance(key, datetime) else key, row_id])
        return signed

    def read(self, cursor: str | None, *, moments: bool = False) -> Place | None:
        """Raises `Problem("invalid")` for a cursor of another list. `moments`: its keys are moments."""
        if cursor is None:
            return None
        try:
            key, row_id = self._signer.loads(cursor)
            return (datetime.fromisoformat(key) if moments else key), str(row_id)
        except (BadData, ValueError, TypeError):
            raise Problem(
                "invalid", N_("This cursor is not of this list. Begin again without one."), field="cursor"
            ) from None


def page(
    rows: Sequence[Row], limit: int, cursor: Callable[[Row], str], dump: Callable[[Sequence[Row]], list[Any]]
) -> dict[str, Any]:
    """A page out of up to `limit + 1` rows."""
    shown = rows[:limit]
    return {"items": dump(shown), "next": cursor(shown[-1]) if len(rows) > limit else None}
