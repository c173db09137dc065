"""An upload ticket, as the dashboard's page and programs get it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import g

from tenants import quota, tickets
from tenants.catalog import Album
from tenants.scope import secret, settings


@dataclass(frozen=True)
class Offer:
    """`max_bytes` are of one file."""

    endpoint: str
    ticket: str
    expires_at: datetime
    max_bytes: int


def offer(album: Album, *, member: str = "") -> Offer:
    """A ticket for the album. Raises `Problem("over-quota")` if the plan has no room."""
    now, lifetime = g.site.now(), timedelta(seconds=settings().ticket_ttl)
    most = _most()
    minted = tickets.mint(
        secret(),
        tenant=g.site.tenant_id,
        album=album.id,
        max_bytes=most,
        now=now,
        lifetime=lifetime,
        types=("*/*",),  # The content decides; files from folders often carry no type at all.
        member=member,
    )
    return Offer(f"{settings().upload_url}/files/", minted, now + lifetime, most)


def _most() -> int:
    """Bytes that a file may have: the plan's limit, or what is left of its storage."""
    left = quota.check(g.site)
    most: int = g.site.entitlements.max_upload_bytes
    return most if left is None else min(most, left)
