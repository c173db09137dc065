"""The end of work that never succeeds: the tenant is told, and may have it tried again."""

from datetime import timedelta

import structlog
from sqlalchemy import case, func, literal, update

from infra.errors import N_
from tenants import exports
from tenants.catalog import TERMINAL, Asset, AssetState
from tenants.scope import open_site, ports

log = structlog.get_logger(__name__)

SENTENCE = N_("We could not process this file. It is kept, and you can have it tried again.")


EXPORT_SENTENCE = N_("The export could not be made. Ask for it again, or ask whoever runs this service.")


def give_up(tenant_id: str, asset_id: str, *, idle: timedelta = timedelta()) -> bool:
    """FAILED, unless the asset, or export, is at its end or was held less than `idle` ago; whether this call did it.

    A rebuild that is given up leaves the asset READY, with what there was before.
    """
    rebuild = Asset.rebuild_asked_at.is_not(None)
    ready, failed = (literal(state, Asset.state.type) for state in (AssetState.READY, AssetState.FAILED))
    try:
        with open_site(tenant_id) as site:
            since = func.coalesce(Asset.leased_until, Asset.created_at)
            changed = site.session.execute(
                update(Asset)
                .where(
                    Asset.tenant_id == tenant_id,
                    Asset.id == asset_id,
                    Asset.state.not_in(TERMINAL),
                    since <= site.now() - idle,
                )
                .values(
                    state=case((rebuild, ready), else_=failed),
                    reason=case((rebuild, ""), else_=SENTENCE),
                    leased_until=None,
                    stage="",
                )
                .execution_options(synchronize_session=False)
            )
            site.session.commit()
            gave_up = bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
            gave_up = gave_up or exports.fail(site, asset_id, EXPORT_SENTENCE, idle)
    except LookupError:
        return False
    if gave_up:
        log.error("gave up", tenant=tenant_id, asset=asset_id)
        ports().metrics.put("job.errors", 1, tenant=tenant_id, cause="given up")
    return gave_up
