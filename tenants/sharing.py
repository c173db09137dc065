"""Share links, and the one function that says who may do what."""

import enum
import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Integer, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from tenants.catalog import Album, Asset, Visibility
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.people import Role, hash_password, verify_password


class Rights(enum.Enum):
    """VIEW opens the album; DOWNLOAD allows originals as well."""

    VIEW = "view"
    DOWNLOAD = "download"


class Action(enum.Enum):
    VIEW = "view"
    DOWNLOAD_ORIGINAL = "download_original"
    EDIT = "edit"
    """Change albums and assets, upload, share."""
    MANAGE = "manage"
    """Members, brand and domains."""


class ShareLink(TenantOwned, Base):
    """A way into one album. The token itself is not stored: only its SHA-256."""

    __tablename__ = "share_links"
    __table_args__ = (belongs_to("albums", "album_id"), UniqueConstraint("token_sha256"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    label: Mapped[str] = mapped_column(String(120), default="")
    token_sha256: Mapped[str] = mapped_column(String(64))
    rights: Mapped[Rights] = mapped_column(ChoiceType(Rights, impl=String(10)), default=Rights.VIEW)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    visits: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def token_of(secret: str, link_id: str) -> str:
    """The link's token: 128 bits derived from the server's secret, so the dashboard can show it again.

    Links keep working when the secret is changed, since the database has the hash; only showing them again ends.
    """
    digest = hmac.new(secret.encode(), b"share link\0" + link_id.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def create_link(
    session: Session,
    album: Album,
    secret: str,
    *,
    now: datetime,
    rights: Rights = Rights.VIEW,
    password: str | None = None,
    expires_at: datetime | None = None,
    label: str = "",
) -> tuple[ShareLink, str]:
    """The link and its token."""
    link_id = new_id()
    token = token_of(secret, link_id)
    link = ShareLink(
        tenant_id=album.tenant_id,
        id=link_id,
        album_id=album.id,
        label=label.strip()[:120],
        token_sha256=hashlib.sha256(token.encode()).hexdigest(),
        rights=rights,
        password_hash=hash_password(password) if password else None,
        expires_at=expires_at,
        created_at=now,
    )
    session.add(link)
    session.flush()
    return link, token


def find_link(session: Session, token: str) -> ShareLink | None:
    """The link of a token whatever its state: the caller asks `is_live` and the password."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return session.scalar(select(ShareLink).where(ShareLink.token_sha256 == digest))


def is_token_of(link: ShareLink, token: str) -> bool:
    """Whether the token opens this link; one derived from a newer secret than the link's does not."""
    return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), link.token_sha256)


def opens(link: ShareLink, password: str) -> bool:
    return link.password_hash is None or verify_password(link.password_hash, password)


@dataclass(frozen=True)
class Viewer:
    """Who is looking: a member's role in this tenant, or none, and what share links opened, by album id."""

    tenant_id: str
    role: Role | None = None
    grants: dict[str, Rights] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    """The share link that opened each album, by album id: addresses of pictures name it (`tenants/delivery.py`)."""


def may(viewer: Viewer, action: Action, thing: Album | tuple[Album, Asset] | None = None) -> bool:
    """The only place that decides access. `thing` is an album, an asset with its album, or None for the tenant.

    A thing of another tenant, or one that is deleted, is never allowed to anyone but (for EDIT) the tenant's editors.
    """
    album, asset = thing if isinstance(thing, tuple) else (thing, None)
    if any(part is not None and part.tenant_id != viewer.tenant_id for part in (album, asset)):
        return False
    if asset is not None and album is not None and asset.album_id != album.id:
        return False
    if action is Action.MANAGE:
        return viewer.role is not None and viewer.role.at_least(Role.ADMIN)
    if action is Action.EDIT:
        return viewer.role is not None and viewer.role.at_least(Role.EDITOR)
    if album is None:
        return action is Action.VIEW
    if album.deleted_at is not None or (asset is not None and asset.deleted_at is not None):
        return False
    if viewer.role is not None:
        return action is Action.VIEW or viewer.role.at_least(Role.EDITOR) or album.originals
    granted = viewer.grants.get(album.id)
    if album.visibility is Visibility.PRIVATE and granted is None:
        return False
    return action is Action.VIEW or album.originals or granted is Rights.DOWNLOAD
