"""What is to be done with a message, for everything that database and RQ may say."""

import pytest

from processor.verdict import AssetView, JobView, Verdict, is_media_job, verdict
from tenants.names import new_id
from tenants.outbox import media_job

OPEN = AssetView(ended=False, failed=False, leased=False)
LEASED = AssetView(ended=False, failed=False, leased=True)
ENDED = AssetView(ended=True, failed=False, leased=False)
STARTED = JobView("started", queued=False)


@pytest.mark.parametrize(
    ("asset", "job", "lost", "expected"),
    [
        (None, None, False, Verdict.DELETE),
        (None, STARTED, False, Verdict.DELETE),
        (ENDED, None, False, Verdict.DELETE),
        (ENDED, JobView("failed", queued=False), True, Verdict.DELETE),
        (LEASED, None, False, Verdict.WAIT),
        (LEASED, JobView(None, queued=False), False, Verdict.WAIT),
        (LEASED, JobView("failed", queued=False), False, Verdict.WAIT),
        (OPEN, None, False, Verdict.ENQUEUE),
        (OPEN, JobView("queued", queued=True), False, Verdict.WAIT),
        (OPEN, JobView(None, queued=True), False, Verdict.WAIT),
        (OPEN, JobView("queued", queued=False), False, Verdict.WAIT),
        (OPEN, JobView("queued", queued=False), True, Verdict.GIVE_BACK),
        (OPEN, STARTED, False, Verdict.WAIT),
        (OPEN, STARTED, True, Verdict.GIVE_BACK),
        (OPEN, JobView("finished", queued=False), False, Verdict.GIVE_BACK),
        (OPEN, JobView("failed", queued=False), False, Verdict.GIVE_BACK),
        (OPEN, JobView("stopped", queued=False), False, Verdict.GIVE_BACK),
        (OPEN, JobView(None, queued=False), False, Verdict.GIVE_BACK),
    ],
)
def test_verdict(asset: AssetView | None, job: JobView | None, lost: bool, expected: Verdict) -> None:
    assert verdict(asset, job, lost) is expected


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "archive", "tenant": new_id(), "asset": new_id()},
        {"kind": "media", "asset": new_id()},
        {"kind": "media", "tenant": "../../etc", "asset": new_id()},
        {"kind": "media", "tenant": new_id(), "asset": 7},
        "media",
        None,
    ],
)
def test_a_body_that_is_not_ours(body: object) -> None:
    assert not is_media_job(body)


def test_unknown_fields_of_a_body_are_tolerated() -> None:
    assert is_media_job({**media_job(new_id(), new_id()), "priority": 3})
