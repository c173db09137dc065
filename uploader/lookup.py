"""An upload by its id or its asset's, for `trace`."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tenants.scope import ports
from tenants.tracing import UploadFacts
from uploader import locks
from uploader.session import Upload


def upload_facts(session: Session, subject: str) -> UploadFacts | None:
    """What the row says. The session works across tenants: an id names one upload of one of them."""
    upload = session.scalar(select(Upload).where(or_(Upload.id == subject, Upload.asset_id == subject)).limit(1))
    if upload is None:
        return None
    return UploadFacts(
        tenant_id=upload.tenant_id,
        id=upload.id,
        asset_id=upload.asset_id,
        filename=upload.filename,
        state=upload.state.value,
        offset=upload.offset,
        length=upload.length,
        sending=not locks.is_free(upload, ports().clock.now()),
        created_at=upload.created_at,
        received_at=upload.received_at,
        finished_at=upload.finished_at,
        expires_at=upload.expires_at,
    )
