"""Tenants and their brands."""

import enum
from datetime import datetime
from typing import TypedDict

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, false, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants.db import Base, bind_tenant
from tenants.names import ID_LENGTH, TenantId, is_slug, new_id

# Labels under the base domain that are the host's own or would mislead visitors.
RESERVED_SLUGS = frozenset(
    {"upload", "www", "api", "admin", "operator", "mail", "static", "cdn", "media", "status", "origin"}
)


class TenantState(enum.Enum):
    ACTIVE = "active"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    """To be erased when its grace is over (`tenants/erasure.py`): closed to visitors, members may undo it."""


class Standing(enum.Enum):
    """How the tenant stands with its bill. Billing writes it; the operator's own word is `TenantState`."""

    GOOD = "good"
    OVERDUE = "overdue"
    """A payment failed and is tried again: members are told, nothing is taken away."""
    UNPAID = "unpaid"
    """Nothing can be changed; visitors see what is there."""
    FROZEN = "frozen"
    """Visitors see nothing; members read and take their files home."""


class OnBudget(enum.Enum):
    """What happens once a month has come to the budget that a tenant has set for itself."""

    TELL = "tell"
    """Letters and notices, no more."""
    LEAN = "lean"
    """New photos and videos are made in fewer sizes (`tenants/lean.py`)."""
    STOP = "stop"
    """Nothing new is taken in (`tenants/quota.py`)."""


class Theme(enum.Enum):
    """Which colours a visitor sees; AUTO follows the visitor's own preference."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Font(enum.Enum):
    """Families that are served with the site; the value names the stylesheet's custom property."""

    SANS = "sans"
    SERIF = "serif"
    ROUNDED = "rounded"
    MONO = "mono"


class Layout(enum.Enum):
    """How an album's photos are laid out: rows of one height, columns of one width, squares, or one after another."""

    JUSTIFIED = "justified"
    MASONRY = "masonry"
    GRID = "grid"
    STORY = "story"

    __hash__ = object.__hash__  # As of `tenants.usage.Meter`: tiles that are drawn are known by these.


class Link(TypedDict):
    """A link in a site's header or footer; `url` is http or https."""

    label: str
    url: str


class Tenant(Base):
    """A business. Not tenant-owned: this is the row that others are owned by."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[TenantState] = mapped_column(ChoiceType(TenantState, impl=String(16)), default=TenantState.ACTIVE)
    standing: Mapped[Standing] = mapped_column(
        ChoiceType(Standing, impl=String(16)), default=Standing.GOOD, server_default=Standing.GOOD.value
    )
    created_at: Mapped[datetime]
    closes_at: Mapped[datetime | None]
    """When a READ_ONLY tenant becomes SUSPENDED by itself."""
    delete_after: Mapped[datetime | None]
    """Of a DELETED tenant: when everything that it has is erased for good. Until then it can be restored."""
    capture: Mapped[str] = mapped_column(String(8), default="date", server_default="date")
    place: Mapped[bool] = mapped_column(default=False, server_default=false())
    """What pages tell of how and where photos were taken (`tenants/privacy.py`)."""
    marks: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether visitors see pictures with the watermark (`tenants/watermarks.py`), where an album says nothing else."""
    guide_hidden: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the dashboard's first steps are put away (`webapp/dashboard/guide.py`)."""
    primary_host: Mapped[str | None] = mapped_column(String(253))
    """The own domain that the site is known by; None: its sub-domain."""
    redirect_to_primary: Mapped[bool] = mapped_column(default=False)
    """Whether visitors of its other hosts are sent there."""

    max_storage_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_upload_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_photos_month: Mapped[int | None] = mapped_column(BigInteger)
    """The plan's limits (`tenants/quota.py`); None: no limit."""
    over_budget: Mapped[OnBudget | None] = mapped_column(ChoiceType(OnBudget, impl=String(8)))
    over_budget_month: Mapped[str | None] = mapped_column(String(7))
    """What its own budget asks for since it was reached, and of which month that is true, as `2026-02`."""

    brand: Mapped["Brand"] = relationship(lazy="joined", cascade="all, delete-orphan", single_parent=True)


class Brand(Base):
    """How a tenant's site looks and speaks. Colours are CSS hex; `logo_sha256` names a stored PNG, WebP or JPEG.

    Paper and ink, background and text, come in pairs; a theme without a pair of its own has the product's colours.
    """

    __tablename__ = "brands"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    tagline: Mapped[str] = mapped_column(String(200), default="")
    accent: Mapped[str] = mapped_column(String(7), default="#3a5a78")
    font: Mapped[Font] = mapped_column(ChoiceType(Font, impl=String(16)), default=Font.SANS)
    theme: Mapped[Theme] = mapped_column(ChoiceType(Theme, impl=String(8)), default=Theme.AUTO)
    logo_sha256: Mapped[str | None] = mapped_column(String(64))
    logo_type: Mapped[str | None] = mapped_column(String(32))
    icon_sha256: Mapped[str | None] = mapped_column(String(64))
    """A square picture for browser tabs and home screens; without one the logo, else the name's first letter serves."""
    paper_light: Mapped[str | None] = mapped_column(String(7))
    ink_light: Mapped[str | None] = mapped_column(String(7))
    paper_dark: Mapped[str | None] = mapped_column(String(7))
    ink_dark: Mapped[str | None] = mapped_column(String(7))
    heading_font: Mapped[Font | None] = mapped_column(ChoiceType(Font, impl=String(16)))
    """None: as the text."""
    layout: Mapped[Layout] = mapped_column(
        ChoiceType(Layout, impl=String(12)), default=Layout.JUSTIFIED, server_default=Layout.JUSTIFIED.value
    )
    """Of albums that choose none of their own."""
    header_links: Mapped[list[Link]] = mapped_column(JSON, default=list, server_default="[]")
    footer_links: Mapped[list[Link]] = mapped_column(JSON, default=list, server_default="[]")
    css: Mapped[str] = mapped_column(Text, default="", server_default="")
    """As the tenant wrote it. Pages show what webapp/brand/css.py leaves of it."""
    locale: Mapped[str | None] = mapped_column(String(16))
    """Language tag (BCP 47) of the tenant's pages, one of `webapp.language.OFFERED`."""
    host_credit: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether pages say who hosts them. The operator decides, by the tenant's plan."""


def create(session: Session, slug: str, name: str, *, now: datetime) -> Tenant:
    """A tenant with the default brand, which the session serves from then on.

    Raises `Problem` for a slug that is malformed, reserved or taken.
    """
    if not is_slug(slug):
        raise Problem("invalid", f"{slug!r} is no usable slug: take 1 to 63 of a-z, 0-9 and inner hyphens.")
    if slug in RESERVED_SLUGS:
        raise Problem("invalid", f"The slug {slug!r} is reserved. Please choose another.")
    if by_slug(session, slug) is not None:
        raise Problem("conflict", f"The slug {slug!r} is taken. Please choose another.")
    tenant_id = new_id()
    bind_tenant(session, tenant_id)
    tenant = Tenant(id=tenant_id, slug=slug, name=name.strip() or slug, state=TenantState.ACTIVE, created_at=now)
    tenant.brand = Brand()
    session.add(tenant)
    session.flush()
    return tenant


def by_slug(session: Session, slug: str) -> Tenant | None:
    return session.scalar(select(Tenant).where(Tenant.slug == slug))


def by_id(session: Session, tenant_id: TenantId | str) -> Tenant | None:
    return session.get(Tenant, str(tenant_id))
