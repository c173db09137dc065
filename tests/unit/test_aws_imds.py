"""Spot notices through IMDSv2; our fake of the service stands behind, and is tested first."""

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime

import imds_fake
import pytest
from imds_fake import FakeImds
from structlog.testing import capture_logs

from infra.aws.imds import Ec2Notices
from infra.settings import load
from infra.sql import connect
from infra.wiring import build

SOON = datetime(2026, 6, 1, 12, 2, tzinfo=UTC)


@pytest.fixture
def fake() -> FakeImds:
    return FakeImds()


@pytest.fixture
def url(fake: FakeImds) -> Iterator[str]:
    with imds_fake.running(fake) as url:
        yield url


def ask(url: str, method: str, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_the_fake_wants_a_token_that_lives(url: str, fake: FakeImds) -> None:
    path = "/latest/meta-data/spot/instance-action"
    fake.interrupt("terminate", "2026-06-01T12:02:00Z")
    assert ask(url, "GET", path)[0] == 401
    assert ask(url, "GET", path, X_aws_ec2_metadata_token="guess")[0] == 401
    for ttl in ("", "0", "21601", "long"):
        assert ask(url, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=ttl)[0] == 400
    forwarded = {"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "192.0.2.1"}
    assert ask(url, "PUT", "/latest/api/token", **forwarded)[0] == 403
    status, token = ask(url, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert status == 200
    assert ask(url, "GET", path, X_aws_ec2_metadata_token=token)[0] == 200
    fake.later(60)
    assert ask(url, "GET", path, X_aws_ec2_metadata_token=token)[0] == 401


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_an_interruption_has_a_time(url: str, fake: FakeImds, action: str) -> None:
    notices = Ec2Notices(url)
    assert notices.interruption() is None
    fake.interrupt(action, "2026-06-01T12:02:00Z")
    assert notices.interruption() == SOON
    assert not notices.rebalance()


def test_a_recommendation_to_rebalance(url: str, fake: FakeImds) -> None:
    notices = Ec2Notices(url)
    assert not notices.rebalance()
    fake.recommend_rebalance("2026-06-01T11:50:00Z")
    assert notices.rebalance()
    assert notices.interruption() is None


def test_a_token_serves_until_it_runs_out(url: str, fake: FakeImds) -> None:
    notices = Ec2Notices(url)
    for _ in range(5):
        notices.interruption()
    assert [method for method, _ in fake.requests].count("PUT") == 1
    fake.interrupt("terminate", "2026-06-01T12:02:00Z")
    fake.later(6 * 3600)
    assert notices.interruption() == SOON
    assert [method for method, _ in fake.requests].count("PUT") == 2


@pytest.mark.parametrize("document", [b"not JSON", {}, [], {"time": "soon"}, {"time": 5}])
def test_what_cannot_be_read_is_no_notice(url: str, fake: FakeImds, document: object) -> None:
    fake.notices["spot/instance-action"] = document
    assert Ec2Notices(url).interruption() is None


def test_a_service_that_is_away_is_told_once(fake: FakeImds) -> None:
    with capture_logs() as said:
        with imds_fake.running(fake) as url:
            notices = Ec2Notices(url)
            notices.interruption()
        for _ in range(3):
            assert notices.interruption() is None
    assert str(said).count("does not answer") == 1


def test_the_setting_chooses_it(
    url: str, fake: FakeImds, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    fake.interrupt("stop", "2026-06-01T12:02:00Z")
    engine = connect("sqlite://")
    folder = tmp_path_factory.mktemp("wiring")
    assert build(load(data_dir=folder, notices="ec2"), engine).notices.interruption() == SOON
    assert build(load(data_dir=folder), engine).notices.interruption() is None
    engine.dispose()
