"""Upload tickets: with one, any tus 1.0 client sends files straight to the upload host."""

from typing import Any

from flask import Response

from tenants.api_tokens import Scope
from webapp.api import lookup
from webapp.api.answers import Document, dumped, once
from webapp.api.blueprint import operation
from webapp.api.shapes import Shape, TicketOut
from webapp.ticket import offer

TAG = "Uploads"


class TicketNew(Shape):
    """A new upload ticket: nothing is to be said of it."""


@operation(
    "POST",
    "/albums/<album_id>/upload-tickets",
    scope=Scope.UPLOADS_WRITE,
    tag=TAG,
    returns=TicketOut,
    status=201,
    takes=TicketNew,
)
def create_upload_ticket(_body: dict[str, Any], album_id: str) -> Response:
    """Create a ticket for uploads into an album. It serves any number of files until it expires."""

    def make() -> tuple[Document, None]:
        return dumped(TicketOut, offer(lookup.album(album_id))), None

    return once(make)
