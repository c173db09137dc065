"""Switches of the operator: what can be off for everybody, or for one tenant, without a release.

A feature is on unless somebody switched it off; what is said for a tenant counts more than what is said for all. Pages
that are kept show what was on when they were made, so a switch counts the editions of the tenants that it is for.
"""

import enum
from dataclasses import dataclass

from sqlalchemy import String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from tenants.db import Base, TenantOwned, across_tenants
from tenants.editions import Edition


class Feature(enum.Enum):
    ARCHIVES = "archives"
    """ZIP downloads of albums."""
    EMBEDS = "embeds"
    GUEST_UPLOADS = "guest_uploads"


NAMES = {
    Feature.ARCHIVES: N_("Downloads of albums as ZIP"),
    Feature.EMBEDS: N_("Albums in other websites"),
    Feature.GUEST_UPLOADS: N_("Photos added by guests"),
}


class FeatureSwitch(Base):
    """For everybody. Not tenant-owned."""

    __tablename__ = "feature_switches"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    is_on: Mapped[bool]


class TenantFeature(TenantOwned, Base):
    __tablename__ = "tenant_features"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    is_on: Mapped[bool]


@dataclass(frozen=True)
class Switch:
    """`own`: what is said for the tenant; None for nothing."""

    feature: Feature
    everywhere: bool
    own: bool | None

    @property
    def is_on(self) -> bool:
        return self.everywhere if self.own is None else self.own


def is_on(session: Session, tenant_id: str, feature: Feature) -> bool:
    return _of(session, tenant_id, [feature])[0].is_on


def require(session: Session, tenant_id: str, feature: Feature) -> None:
    """Raises `Problem` where it is off."""
    if not is_on(session, tenant_id, feature):
        raise Problem("off", "This is switched off at the moment. Please try again later.")


def of_tenant(session: Session, tenant_id: str) -> list[Switch]:
    return _of(session, tenant_id, list(Feature))


def _of(session: Session, tenant_id: str, wanted: list[Feature]) -> list[Switch]:
    names = [each.value for each in wanted]
    for_all = session.scalars(select(FeatureSwitch).where(FeatureSwitch.name.in_(names)))
    everywhere = {row.name: row.is_on for row in for_all}
    own = {
        row.name: row.is_on
        for row in session.scalars(
            select(TenantFeature).where(TenantFeature.tenant_id == tenant_id, TenantFeature.name.in_(names))
        )
    }
    return [Switch(each, everywhere.get(each.value, True), own.get(each.value)) for each in wanted]


def everywhere(session: Session) -> dict[Feature, bool]:
    said = {row.name: row.is_on for row in session.scalars(select(FeatureSwitch))}
    return {each: said.get(each.value, True) for each in Feature}


def switch(session: Session, feature: Feature, is_on: bool) -> None:
    """For everybody, within the current transaction."""
    found = session.get(FeatureSwitch, feature.value)
    if found is None:
        session.add(FeatureSwitch(name=feature.value, is_on=is_on))
    else:
        found.is_on = is_on
    session.flush()
    with across_tenants(session, "kept pages of every tenant show what was on"):
        session.execute(update(Edition).values(number=Edition.number + 1).execution_options(synchronize_session=False))


def switch_for(session: Session, tenant_id: str, feature: Feature, is_on: bool | None) -> None:
    """For one tenant, which the session serves; None: as for everybody. A trigger counts its edition."""
    session.execute(
        delete(TenantFeature)
        .where(TenantFeature.tenant_id == tenant_id, TenantFeature.name == feature.value)
        .execution_options(synchronize_session="fetch")
    )
    if is_on is not None:
        session.add(TenantFeature(tenant_id=tenant_id, name=feature.value, is_on=is_on))
    session.flush()
