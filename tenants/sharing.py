"""Share links, and the one function that says who may do what."""

import enum
import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, CursorResult, Integer, String, UniqueConstraint, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.catalog import Album, Asset, Visibility
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.people import Role, hash_password, verify_password


class Rights(enum.Flag):
    """What a share link allows, joined by `|`. VIEW is part of every link."""

    VIEW = 1
    WEB = 2
    """Download photos at the size that pages show them in."""
    ORIGINAL = 4
    FAVOURITE = 8
    COMMENT = 16
    SELECT = 32
    """Put favourites together to a selection and hand it in."""
    UPLOAD = 64
    DOWNLOAD = VIEW | WEB | ORIGINAL


DOWNLOADS = Rights.WEB | Rights.ORIGINAL
GUEST_RIGHTS = Rights.FAVOURITE | Rights.COMMENT | Rights.SELECT | Rights.UPLOAD
"""Rights whose use leaves something behind, and so needs to be somebody's."""


class Action(enum.Enum):
    VIEW = "view"
    DOWNLOAD_WEB = "download_web"
    DOWNLOAD_ORIGINAL = "download_original"
    DOWNLOAD_FULL = "download_full"
    """In the original's size with the watermark, where that has been made: in the place of originals."""
    FAVOURITE = "favourite"
    COMMENT = "comment"
    SELECT = "select"
    UPLOAD = "upload"
    """Add files as a guest; they wait for a member to show them."""
    EDIT = "edit"
    """Change albums and assets, upload, share."""
    MANAGE = "manage"
    """Members, brand and domains."""


_BY_LINK = {
    Action.DOWNLOAD_WEB: Rights.WEB,
    Action.DOWNLOAD_ORIGINAL: Rights.ORIGINAL,
    Action.DOWNLOAD_FULL: Rights.ORIGINAL,
    Action.FAVOURITE: Rights.FAVOURITE | Rights.SELECT,
    Action.COMMENT: Rights.COMMENT,
    Action.SELECT: Rights.SELECT,
    Action.UPLOAD: Rights.UPLOAD,
}
"""One of these rights is enough."""

_DOWNLOADING = (Action.DOWNLOAD_WEB, Action.DOWNLOAD_ORIGINAL, Action.DOWNLOAD_FULL)

MIN_PIN, MAX_PIN = 6, 12


class ShareLink(TenantOwned, Base):
    """A way into one album. The token itself is not stored: only its SHA-256."""

    __tablename__ = "share_links"
    __table_args__ = (belongs_to("albums", "album_id"), UniqueConstraint("token_sha256"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    label: Mapped[str] = mapped_column(String(120), default="")
    token_sha256: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column("rights", String(10), default="view")
    """What releases before 0018 read: `download` for whoever may have originals, else `view`."""
    allowed: Mapped[int | None] = mapped_column(Integer)
    """`Rights` as a number; None in a link that such a release made."""
    password_hash: Mapped[str | None] = mapped_column(String(200))
    pin_hash: Mapped[str | None] = mapped_column(String(200))
    """Of the PIN that downloads ask for; viewing does not."""
    asks_name: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    visits: Mapped[int] = mapped_column(Integer, default=0)
    max_visits: Mapped[int | None]
    last_visit_at: Mapped[datetime | None]
    choose_at_most: Mapped[int | None]
    """How many photos a selection may have."""
    upload_files: Mapped[int | None]
    upload_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """What all guests of the link together may add; None is as much as the tenant itself."""
    marks: Mapped[bool | None]
    """Whether it shows pictures with the watermark; None is as the album has it."""
    created_at: Mapped[datetime]

    @property
    def rights(self) -> Rights:
        if self.allowed is None:
            return Rights.DOWNLOAD if self.level == "download" else Rights.VIEW
        return Rights(self.allowed)

    @rights.setter
    def rights(self, rights: Rights) -> None:
        self.allowed = (rights | Rights.VIEW).value
        self.level = "download" if Rights.ORIGINAL in rights else "view"

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
    **terms: Any,
) -> tuple[ShareLink, str]:
    """The link and its token. `terms` are other columns of the link, such as `max_visits`."""
    link_id = new_id()
    token = token_of(secret, link_id)
    link = ShareLink(
        tenant_id=album.tenant_id,
        id=link_id,
        album_id=album.id,
        label=label.strip()[:120],
        token_sha256=hashlib.sha256(token.encode()).hexdigest(),
        rights=rights,
        expires_at=expires_at,
        created_at=now,
        **{"password_hash": hash_password(password) if password else None, **terms},
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


def hash_pin(pin: str) -> str:
    """Raises `Problem` unless it is 6 to 12 digits."""
    if not (pin.isascii() and pin.isdigit() and MIN_PIN <= len(pin) <= MAX_PIN):
        raise Problem(
            "invalid",
            "A PIN has %(least)d to %(most)d digits.",
            values={"least": MIN_PIN, "most": MAX_PIN},
            field="pin",
        )
    return hash_password(pin, least=MIN_PIN)


def count_visit(session: Session, link: ShareLink, now: datetime) -> bool:
    """Count one visit within the current transaction; False if the link has had all of its visits."""
    counted = session.execute(
        update(ShareLink)
        .where(
            ShareLink.tenant_id == link.tenant_id,
            ShareLink.id == link.id,
            or_(ShareLink.max_visits.is_(None), ShareLink.visits < ShareLink.max_visits),
        )
        .values(visits=ShareLink.visits + 1, last_visit_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(cast("CursorResult[Any]", counted).rowcount)


@dataclass(frozen=True)
class Viewer:
    """Who is looking: a member's role in this tenant, or none, and what share links opened, by album id.

    `without_pin` are albums whose links ask for a PIN that was not given: what they allow to download is not in
    `grants`.
    """

    tenant_id: str
    role: Role | None = None
    grants: dict[str, Rights] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    """What opened each album, by album id, as addresses of pictures name it (`tenants/delivery.py`)."""
    without_pin: frozenset[str] = frozenset()
    marks: dict[str, bool | None] = field(default_factory=dict)
    """What the links of `ways` say of the watermark, by album id."""
    marks_by_default: bool = False
    """What the tenant says of it."""


def rights_for(action: Action) -> Rights:
    """The rights of a link of which one is enough for the action."""
    return _BY_LINK[action]


def may(viewer: Viewer, action: Action, thing: Album | tuple[Album, Asset] | None = None) -> bool:
    """The only place that decides access. `thing` is an album, an asset with its album, or None for the tenant.

    A thing of another tenant, or one that is deleted, is never allowed to anyone but (for EDIT) the tenant's editors.
    What a guest uploaded is the editors' alone until it is approved.
    """
    album, asset = thing if isinstance(thing, tuple) else (thing, None)
    for part in (album, asset):
        if part is not None and part.tenant_id != viewer.tenant_id:
            return False
    if asset is not None and album is not None and asset.album_id != album.id:
        return False
    edits = viewer.role is not None and viewer.role.at_least(Role.EDITOR)
    if action is Action.MANAGE:
        return viewer.role is not None and viewer.role.at_least(Role.ADMIN)
    if action is Action.EDIT:
        return edits
    if album is None:
        return action is Action.VIEW
    if album.deleted_at is not None or (
        asset is not None and (asset.deleted_at is not None or (asset.held and not edits))
    ):
        return False
    return _sees(viewer, album) and (action is Action.VIEW or _acts(viewer, action, album, edits=edits))


def sees_marked(viewer: Viewer, album: Album) -> bool:
    """Whether the pictures that this viewer gets of the album are those with the watermark. Members see the plain ones;
    a link may say either; else the album does, and at last the tenant."""
    if viewer.role is not None:
        return False
    said = viewer.marks.get(album.id)
    if said is None:
        said = album.marks
    return viewer.marks_by_default if said is None else said


def _is_out(asset: Asset, *, edits: bool) -> bool:
    return asset.deleted_at is None and (edits or not asset.held)


def _sees(viewer: Viewer, album: Album) -> bool:
    return viewer.role is not None or album.visibility is not Visibility.PRIVATE or album.id in viewer.grants


def _acts(viewer: Viewer, action: Action, album: Album, *, edits: bool) -> bool:
    """Beyond looking. Members edit in the dashboard: as guests they act only by a link that they opened."""
    # An original has no watermark, so no right to it gets past one.
    if action is (Action.DOWNLOAD_ORIGINAL if sees_marked(viewer, album) else Action.DOWNLOAD_FULL):
        return False
    if action in _DOWNLOADING and (edits or (album.originals and album.id not in viewer.without_pin)):
        return True
    return bool(viewer.grants.get(album.id, Rights(0)) & rights_for(action))
