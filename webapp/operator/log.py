"""What operators did."""

import json

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from infra.sql import reading
from tenants import operator_log
from tenants.db import db
from tenants.registry import Tenant
from webapp.operator.mount import bp

A_PAGE = 100


@bp.get("/log")
def log() -> ResponseReturnValue:
    query, before = request.args.get("q", "").strip()[:100], request.args.get("before", "")[:26]
    with reading():
        found = operator_log.latest(db.session(), A_PAGE + 1, before=before, query=query)
        ids = {entry.tenant for entry in found if entry.tenant}
        named = db.session.execute(select(Tenant.id, Tenant.slug).where(Tenant.id.in_(ids)))
        slugs = {row.id: row.slug for row in named}
        return render_template(
            "operator/log.html",
            entries=found[:A_PAGE],
            slugs=slugs,
            query=query,
            next_before=found[A_PAGE - 1].id if len(found) > A_PAGE else "",
        )


@bp.app_template_filter("as_words")
def as_words(detail: dict[str, object]) -> str:
    """`why: spam · days: 7`."""
    words = (f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in detail.items())
    return " · ".join(words)
