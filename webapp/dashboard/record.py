"""What a handler that changes something calls: `note`. The audit log's entry goes into the change's transaction."""

from collections.abc import Mapping
from typing import Any

from flask import g, request
from flask_login import current_user
from structlog.contextvars import get_contextvars

from tenants import audit
from tenants.audit import Who
from tenants.catalog import Album
from tenants.db import Base
from tenants.people import Member


def note(
    action: str,
    *,
    album: Album | None = None,
    about: str = "",
    count: int = 1,
    was: Mapping[str, object] | None = None,
    row: Base | None = None,
    by: Member | None = None,
    **details: Any,
) -> None:
    """One entry of the audit log, before the handler commits.

    `action` is one of `audit.ACTIONS`. With `row`, and `was` as `audit.snapshot` gave it before the change, the entry
    tells what is different. `by` is who acts, where that is not who is signed in.
    """
    who = by or current_user
    if was is not None and row is not None:
        details = {"changed": audit.difference(was, row), **details}
    audit.record(
        g.site.session,
        g.site.tenant_id,
        action,
        Who(
            member=who.id,
            email=str(who.email),
            address=request.remote_addr or "",
            agent=request.user_agent.string,
            request=str(get_contextvars().get("request_id", "")),
        ),
        now=g.site.now(),
        album=album.id if album is not None else "",
        about=about or (album.title if album is not None else ""),
        count=count,
        details=details,
    )


def named(filenames: list[str], count: int) -> str:
    """The first few of so many, for `about`."""
    told = [name[:80] for name in filenames[:3]]
    return ", ".join(told) + (f" +{count - len(told)}" if told and count > len(told) else "")
