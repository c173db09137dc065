"""The end of work that never succeeds: the tenant is told, and may have it tried again."""

import structlog
from sqlalchemy import or_, update

from tenants import outbox
from tenants.catalog import TERMINAL, Asset, AssetState
from tenants.scope import Site, open_site

log = structlog.get_logger(__name__)

SENTENCE = "We could not process this file. It is kept, and you can have it tried again."


def give_up(tenant_id: str, asset_id: str) -> bool:
    """FAILED, unless the asset is at its end or someone works on it; whether it is so now by this call."""
    try:
        with open_site(tenant_id) as site:
            changed = site.session.execute(
                update(Asset)
                .where(
                    Asset.tenant_id == tenant_id,
                    Asset.id == asset_id,
                    Asset.state.not_in(TERMINAL),
                    or_(Asset.leased_until.is_(None), Asset.leased_until <= site.now()),
                )
                .values(state=AssetState.FAILED, reason=SENTENCE, leased_until=None, stage="")
                .execution_options(synchronize_session=False)
            )
            site.session.commit()
    except LookupError:
        return False
    failed = bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
    if failed:
        log.error("gave up", tenant=tenant_id, asset=asset_id)
    return failed


def try_again(site: Site, asset_id: str) -> bool:
    """Take a FAILED asset back to RECEIVED and ask for its processing; False if it is not FAILED."""
    changed = site.session.execute(
        update(Asset)
        .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id, Asset.state == AssetState.FAILED)
        .values(state=AssetState.RECEIVED, reason="", leased_until=None, stage="", progress=0)
        .execution_options(synchronize_session=False)
    )
    again = bool(changed.rowcount)  # type: ignore[attr-defined]
    if again:
        site.enqueue(outbox.media_job(site.tenant_id, asset_id))
    site.session.commit()
    return again
