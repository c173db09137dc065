"""Search in everything that the tenant has."""

from datetime import UTC, date, datetime, time
from typing import Any

from flask import Response, g
from marshmallow import fields, validate
from sqlalchemy import select, true

from tenants import search
from tenants.api_tokens import Scope
from tenants.catalog import Asset
from webapp.api.answers import told
from webapp.api.assets import AssetPage, documents
from webapp.api.blueprint import operation
from webapp.api.pages import Cursor, PageQuery
from webapp.api.shapes import about, nothing

MAX_QUERY = 200


class SearchQuery(PageQuery):
    """What to look for: at least one of `q`, `from` and `to`."""

    q = fields.String(
        load_default="",
        validate=[validate.Length(max=MAX_QUERY), validate.Regexp(r"^[^\x00]*$")],
        metadata=about("Beginnings of words and whole `#tags`, all of which an asset must have."),
    )
    from_ = fields.Date(data_key="from", load_default=nothing, metadata=about("First day of capture."))
    to = fields.Date(load_default=nothing, metadata=about("Last day of capture."))


@operation("GET", "/search", scope=Scope.ALBUMS_READ, tag="Search", returns=AssetPage, query=SearchQuery)
def search_assets(query: dict[str, Any]) -> Response:
    """Search photos and videos by caption, tag, file name, camera and day, the latest capture first.

    Nothing is found by a query in which nothing is asked for.
    """
    sought = search.wanted(query["q"], first=_day(query["from_"], time()), last=_day(query["to"], time.max))
    cursor = Cursor("search", query["q"], str(query["from_"]), str(query["to"]))
    place = cursor.read(query["cursor"], moments=True)
    ids: list[str] = []
    following = None
    if not sought.nothing:
        ids, following = search.find(g.site.session, g.site.tenant_id, sought, true(), after=place, size=query["limit"])
    rows = {asset.id: asset for asset in g.site.session.scalars(select(Asset).where(Asset.id.in_(ids)))}
    found = [rows[asset_id] for asset_id in ids if asset_id in rows]
    return told({"items": documents(found), "next": cursor.at(*following) if following else None})


def _day(day: date | None, at: time) -> datetime | None:
    return datetime.combine(day, at, UTC) if day else None
