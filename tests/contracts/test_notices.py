"""The Notices contract (infra/ports/machine.py)."""

from collections.abc import Iterator

import imds_fake
import pytest
from imds_fake import FakeImds

from infra.aws.imds import Ec2Notices
from infra.local.notices import NoNotices
from infra.ports import Notices


@pytest.fixture(params=["none: a machine that stays", "ec2: our fake IMDSv2", "ec2: nobody answers"])
def notices(request: pytest.FixtureRequest) -> Iterator[Notices]:
    if request.param.startswith("none"):
        yield NoNotices()
    elif request.param == "ec2: nobody answers":
        yield Ec2Notices("http://127.0.0.1:9")
    else:
        with imds_fake.running(FakeImds()) as url:
            yield Ec2Notices(url)


def test_nothing_is_announced(notices: Notices) -> None:
    assert notices.interruption() is None
    assert notices.rebalance() is False
