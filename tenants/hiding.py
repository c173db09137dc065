"""Requests of people who are in a photo and want it hidden: asked for on its page, answered in the dashboard.

Whoever asks need not prove who they are; what they write is kept with the answer, as the record that the tenant has
to keep of such requests, and goes when the photo is removed for good or the request is forgotten.
"""

import enum
from datetime import datetime

from sqlalchemy import Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.guests import MAX_NAME, clean_name, clean_text
from tenants.names import ID_LENGTH, new_id

MAX_TEXT = 1000
MOST_OPEN = 20
"""Of one photo: further ones tell the tenant nothing new."""
MOST_OPEN_ALL = 2000


class HideState(enum.Enum):
    OPEN = "open"
    HIDDEN = "hidden"
    REFUSED = "refused"


class HideRequest(TenantOwned, Base):
    __tablename__ = "hide_requests"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("assets", "asset_id"),
        Index("ix_hide_requests_asset", "tenant_id", "asset_id"),
        Index("ix_hide_requests_state", "tenant_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    contact: Mapped[str] = mapped_column(String(254))
    """An address to answer to, as they gave it; may be empty."""
    text: Mapped[str] = mapped_column(String(MAX_TEXT))
    state: Mapped[HideState] = mapped_column(ChoiceType(HideState, impl=String(8)), default=HideState.OPEN)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why it was refused."""
    answered_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


def ask(session: Session, asset: Asset, name: str, contact: str, text: str, *, now: datetime) -> HideRequest:
    """Within the current transaction. Raises `Problem` for an empty text, or when there are too many already."""
    kept = clean_text(text)
    of_tenant = (HideRequest.tenant_id == asset.tenant_id, HideRequest.state == HideState.OPEN)
    open_all = session.scalar(select(func.count()).select_from(HideRequest).where(*of_tenant)) or 0
    here = (*of_tenant, HideRequest.asset_id == asset.id)
    open_here = session.scalar(select(func.count()).select_from(HideRequest).where(*here)) or 0
    if open_here >= MOST_OPEN or open_all >= MOST_OPEN_ALL:
        raise Problem("conflict", "Many have asked for this already. It is waiting for an answer.")
    request = HideRequest(
        tenant_id=asset.tenant_id,
        id=new_id(),
        album_id=asset.album_id,
        asset_id=asset.id,
        name=clean_name(name),
        contact="".join(c for c in contact if c.isprintable()).strip()[:254],
        text=kept,
        created_at=now,
    )
    session.add(request)
    session.flush()
    return request


def listed(session: Session, *, is_open: bool, limit: int = 200) -> list[tuple[HideRequest, Asset, Album]]:
    """The oldest open ones first; of the answered ones the newest."""
    state = HideRequest.state == HideState.OPEN
    order = HideRequest.id if is_open else HideRequest.id.desc()
    rows = session.execute(
        select(HideRequest, Asset, Album)
        .join(Asset, (Asset.tenant_id == HideRequest.tenant_id) & (Asset.id == HideRequest.asset_id))
        .join(Album, (Album.tenant_id == HideRequest.tenant_id) & (Album.id == HideRequest.album_id))
        .where(state if is_open else ~state)
        .order_by(order)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def count_open(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(HideRequest).where(HideRequest.state == HideState.OPEN)) or 0


def answer(session: Session, request: HideRequest, *, hide: bool, reason: str, by: str, now: datetime) -> None:
    """Hide the photo (it is held back, as what guests add is until it is approved), or refuse with a reason.

    Every open request about a hidden photo is answered with it. Raises `Problem` for a refusal without a reason, and
    for a request that has its answer.
    """
    if request.state is not HideState.OPEN:
        raise Problem("conflict", "This request was answered already. Reload the page.")
    reason = reason.strip()[:500]
    if not hide and not reason:
        raise Problem("invalid", "Say why: whoever asked has a right to know.", field="reason")
    answered = [request]
    if hide:
        asset = session.get_one(Asset, (request.tenant_id, request.asset_id))
        asset.held = True
        others = (HideRequest.asset_id == request.asset_id, HideRequest.state == HideState.OPEN)
        answered = list(session.scalars(select(HideRequest).where(*others)))
    for each in answered:
        each.state = HideState.HIDDEN if hide else HideState.REFUSED
        each.reason, each.answered_by, each.answered_at = ("" if hide else reason), by, now
    session.flush()


def show_again(session: Session, request: HideRequest) -> None:
    """Undo a hiding: the photo is shown, the request is open again. No error if it is so already."""
    if request.state is HideState.HIDDEN:
        session.get_one(Asset, (request.tenant_id, request.asset_id)).held = False
        request.state, request.answered_at, request.answered_by = HideState.OPEN, None, ""
        session.flush()
