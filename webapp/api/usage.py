"""What the tenant has used."""

from datetime import timedelta
from typing import Any

from flask import Response, g

from infra.errors import N_, Problem
from tenants import usage
from tenants.api_tokens import Scope
from tenants.usage import Meter
from webapp.api.answers import dumped, told
from webapp.api.blueprint import operation
from webapp.api.parsing import Query
from webapp.api.shapes import Moment, UsageOut, about, nothing


class UsageQuery(Query):
    """A span of time, by default the last 30 days."""

    from_ = Moment(data_key="from", load_default=nothing, metadata=about("Included."))
    to = Moment(load_default=nothing, metadata=about("Not included; by default now."))


@operation("GET", "/usage", scope=Scope.USAGE_READ, tag="Usage", returns=UsageOut, query=UsageQuery)
def get_usage(query: dict[str, Any]) -> Response:
    """Read what was used in a span of time, and the plan's limits."""
    end = query["to"] or g.site.now().replace(microsecond=0)
    try:
        start = query["from_"] or end - timedelta(days=30)
    except OverflowError:
        start = end
    if start > end:
        raise Problem("invalid", N_("“from” is after “to”."), field="from")
    limits = g.site.entitlements
    found = {
        "start": start,
        "end": end,
        "meters": {meter.value: usage.total(g.site.session, meter, start, end) for meter in Meter},
        "max_storage_bytes": limits.max_storage_bytes,
        "max_upload_bytes": limits.max_upload_bytes,
        "max_photos_month": limits.max_photos_month,
    }
    return told(dumped(UsageOut, found))
