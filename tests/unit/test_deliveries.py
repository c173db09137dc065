"""CloudFront's access logs into usage events: each file once, by host or object key, compared with CloudFront's count.

S3 and CloudWatch are moto's server; the log files are made here, in the format that the CloudFront Developer Guide
publishes ("Standard logging reference"): nothing here was written by CloudFront.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_double import DoubleClock
from conftest import World
from flask import Flask
from metered import born, close, ledger_of, meter_events
from sqlalchemy import select

from billing import deliveries
from billing.deliveries import DeliveryHour, DeliveryLog, differs
from billing.ledger import hour_of
from billing.plans import Dimension
from infra.aws.client import Clients
from infra.aws.cloudfront_lines import deliveries as read_lines
from infra.aws.cloudfront_logs import CloudFrontLogs
from infra.errors import BlobMissing, Unavailable, UnreadableLog
from infra.local.no_deliveries import NoDeliveryLogs
from infra.ports import Delivery
from infra.settings import Settings, SettingsError, load
from tenants.db import across_tenants, db
from tenants.names import new_id
from tenants.scope import ports
from tenants.usage import Meter, UsageEvent

NAMES = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
    "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)
FIELDS = NAMES.split()
HEAD = f"#Version: 1.0\n#Fields: {NAMES}\n"
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
HOUR = timedelta(hours=1)
BEFORE = hour_of(NOW) - 3 * HOUR
"""The hour that most lines are of."""


def fields(host: str, path: str, size: int, *, at: datetime = BEFORE, status: int = 200, method: str = "GET") -> Any:
    told = dict.fromkeys(FIELDS, "-")
    told |= {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M:%S}", "x-edge-location": "FRA56-P8", "c-ip": "192.0.2.4"}
    told |= {"sc-bytes": str(size), "cs-method": method, "cs(Host)": "d111111abcdef8.cloudfront.net"}
    return told | {"cs-uri-stem": path, "sc-status": str(status), "x-host-header": host, "time-taken": "0.001"}


def line(*args: Any, **more: Any) -> str:
    return "\t".join(fields(*args, **more).values()) + "\n"


@dataclass
class Stand:
    """The app on moto's S3 and CloudWatch."""

    app: Flask
    s3: Any
    cloudwatch: Any
    bucket: str
    distribution: str

    def put(self, name: str, text: str, *, packed: bool = True) -> None:
        body = gzip.compress(text.encode()) if packed else text.encode()
        self.s3.put_object(Bucket=self.bucket, Key=f"cf/{name}", Body=body)

    def downloaded(self, hour: datetime, size: int) -> None:
        """What CloudFront counts by itself."""
        about = [{"Name": "DistributionId", "Value": self.distribution}, {"Name": "Region", "Value": "Global"}]
        datum = {"MetricName": "BytesDownloaded", "Dimensions": about, "Timestamp": hour, "Value": size, "Unit": "None"}
        self.cloudwatch.put_metric_data(Namespace="AWS/CloudFront", MetricData=[datum])


@pytest.fixture
def settings(settings: Settings, unique: str) -> Settings:
    about = {"aws_region": "us-east-1", "cloudfront_distribution": unique, "cloudfront_log_bucket": unique}
    return settings.model_copy(update={"deliveries": "cloudfront", **about})


@pytest.fixture
def stand(keys: None, moto_clock: DoubleClock, unique: str, core: Flask, world: World) -> Iterator[Stand]:
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    s3 = clients.get("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=unique)
    logs = CloudFrontLogs(clients, clients, bucket=unique, prefix="cf/", distribution=unique)
    core.extensions["vitrine.ports"] = replace(core.extensions["vitrine.ports"], deliveries=logs)
    yield Stand(core, s3, clients.get("cloudwatch"), unique, unique)
    clients.close()


def run(now: datetime = NOW) -> Counter[str]:
    return deliveries.run(now)


def events() -> list[UsageEvent]:
    session = db.session()
    with across_tenants(session, "test"):
        wanted = select(UsageEvent).where(UsageEvent.meter == Meter.DELIVERED).order_by(UsageEvent.id)
        found = list(session.scalars(wanted))
        session.expunge_all()
        session.rollback()
    return found


def billed() -> Counter[str]:
    found: Counter[str] = Counter()
    for event in events():
        found[event.tenant_id] += event.amount or 0
    return found


def logs() -> dict[str, DeliveryLog]:
    session = db.session()
    found = {row.name: row for row in session.scalars(select(DeliveryLog))}
    session.expunge_all()
    session.rollback()
    return found


def hours() -> dict[datetime, tuple[int, int | None]]:
    session = db.session()
    found = {row.hour: (row.logged, row.downloaded) for row in session.scalars(select(DeliveryHour))}
    session.rollback()
    return found


def test_a_file_counts_once_by_host_and_by_object_key(stand: Stand, world: World) -> None:
    asset = new_id()
    text = HEAD + "".join(
        [
            line("alpha.localhost", "/", 1000),
            line("ALPHA.localhost", f"/m/way/token/{asset}/1/w640.jpg", 20_000, at=BEFORE + HOUR),
            line("beta.localhost", "/a/summer%20days", 300),
            line("d111111abcdef8.cloudfront.net", f"/t/{world.beta}/r/{asset}/1/w640.jpg", 4000),
            line("alpha.localhost", "/dashboard/", 5),  # Members' own work.
            line("alpha.localhost", "/nothing", 7, status=404),
            line("nobody.example", "/", 11),
            line("alpha.localhost", "/", 13, method="POST", status=303),
        ]
    )
    stand.put("E1.2026-11-26-01.abc.gz", text)
    assert run() == {"logs": 1}
    assert run() == {} and run() == {}
    assert billed() == {world.alpha: 21_013, world.beta: 4300}
    assert {event.asset_id for event in events()} == {asset, None}
    assert {event.at for event in events()} == {BEFORE, BEFORE + HOUR}
    (row,) = logs().values()
    assert (row.lines, row.billed, row.unclaimed, row.why) == (8, 25_313, 11, "")
    whole = 1000 + 300 + 4000 + 5 + 7 + 11  # All GETs, since CloudFront's own count knows no tenants.
    assert hours()[BEFORE] == (whole, None) and hours()[BEFORE + HOUR] == (20_000, None)


def test_json_says_the_same_as_w3c(stand: Stand, world: World) -> None:
    told = [fields("alpha.localhost", "/", 10), fields("alpha.localhost", "/a/b", 20, at=BEFORE + HOUR)]
    stand.put("a.gz", HEAD + "".join("\t".join(one.values()) + "\n" for one in told))
    run()
    by_w3c = [(event.amount, event.at) for event in events()]
    stand.put("b.gz", "\n".join(json.dumps(one) for one in told))
    run()
    assert sorted((event.amount, event.at) for event in events()) == sorted(2 * by_w3c)


def test_what_comes_a_day_late_corrects_its_hours(stand: Stand, world: World) -> None:
    born(BEFORE)
    stand.put("a.gz", HEAD + line("alpha.localhost", "/", 100))
    run()
    close(NOW)
    stand.put("b.gz", HEAD + line("alpha.localhost", "/", 50, at=BEFORE + timedelta(minutes=59)))
    run()
    close(NOW)
    assert ledger_of(world.alpha) == {(Dimension.DELIVERED, BEFORE): 150}
    assert [event.value for event in meter_events(world.alpha)] == [100, 50]


def test_a_note_that_is_lost_bills_nothing_twice(stand: Stand, world: World) -> None:
    """Somebody deletes the rows that say what was read: the events' ids still do."""
    stand.put("a.gz", HEAD + line("alpha.localhost", "/", 100))
    run()
    session = db.session()
    for row in session.scalars(select(DeliveryLog)):
        session.delete(row)
    session.commit()
    assert run() == {"logs": 1}
    assert billed() == {world.alpha: 100}
    (row,) = logs().values()
    assert row.billed == 0


@pytest.mark.parametrize(
    ("text", "packed", "why"),
    [
        (HEAD + line("alpha.localhost", "/", 9) + "2026-11-26\tx\n", True, "line 4: ValueError: 2 fields for 33 names"),
        (line("alpha.localhost", "/", 9), True, "no line #Fields: comes before"),
        ('{"date": "2026-11-26"}\n', True, "KeyError: 'cs-method'"),
        ("{not json\n", True, "line 1: JSONDecodeError"),
        (HEAD, False, "not a whole gzip file"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_alarm_and_bills_nothing(
    stand: Stand, world: World, text: str, packed: bool, why: str
) -> None:
    stand.put("bad.gz", text, packed=packed)
    stand.put("good.gz", HEAD + line("beta.localhost", "/", 3))
    assert run() == {"logs": 1, "unreadable": 1}
    assert billed() == {world.beta: 3}
    assert why in logs()["cf/bad.gz"].why
    now = ports().clock.now()
    assert ports().metrics.total("metering.deliveries_unreadable", now - HOUR, now + HOUR) == 1
    assert run() == {}


def test_a_file_that_was_cut_short_bills_nothing(stand: Stand, world: World) -> None:
    whole = gzip.compress((HEAD + "".join(line("alpha.localhost", f"/{n}", n) for n in range(999))).encode())
    stand.s3.put_object(Bucket=stand.bucket, Key="cf/cut.gz", Body=whole[: len(whole) // 2])
    assert run() == {"unreadable": 1}
    assert not billed()


def test_hours_are_compared_with_cloudfronts_own_count(stand: Stand, world: World) -> None:
    """A day later, within two in a hundred, also an hour of which no log came at all."""
    run(NOW - 30 * HOUR)  # From here on hours are watched.
    equal, lost, quiet = (hour_of(NOW) - hours * HOUR for hours in (28, 29, 30))
    gigabyte = 1_000_000_000
    stand.put("a.gz", HEAD + line("alpha.localhost", "/film", gigabyte, at=equal))
    stand.downloaded(equal, gigabyte + 15_000_000)
    stand.downloaded(lost, 50_000_000)
    found = run()
    assert (found["compared"], found["differ"]) == (5, 1)
    told = hours()
    assert told[equal] == (gigabyte, gigabyte + 15_000_000)
    assert told[lost] == (0, 50_000_000) and told[quiet] == (0, 0)
    assert told[hour_of(NOW) - HOUR] == (0, None)  # Its logs may still come.
    now = ports().clock.now()
    assert ports().metrics.total("metering.deliveries_differ", now - HOUR, now + HOUR) == 1
    stand.put("late.gz", HEAD + line("alpha.localhost", "/film", 49_000_000, at=lost))
    assert run() == {"logs": 1, "compared": 1}  # It came after all.


@pytest.mark.parametrize(
    ("logged", "downloaded", "alarm"),
    [
        *((0, 0, False), (0, 10_000_000, False), (0, 10_000_001, True), (980, 1000, False)),
        *((98 * 10**9, 100 * 10**9, False), (97 * 10**9, 100 * 10**9, True), (103 * 10**9, 100 * 10**9, True)),
    ],
)
def test_the_bound(logged: int, downloaded: int, alarm: bool) -> None:
    assert differs(logged, downloaded) is alarm


def test_while_the_logs_cannot_be_reached_nothing_is_lost(stand: Stand, world: World) -> None:
    stand.put("a.gz", HEAD + line("alpha.localhost", "/", 100))
    real = ports()
    gone = Clients(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    away = CloudFrontLogs(gone, gone, bucket=stand.bucket, prefix="cf/", distribution="E1")
    with pytest.raises(Unavailable):
        list(away.arrived(NOW))
    stand.app.extensions["vitrine.ports"] = replace(real, deliveries=away)
    assert run() == {}
    stand.app.extensions["vitrine.ports"] = real
    assert run() == {"logs": 1}
    assert billed() == {world.alpha: 100}


def test_the_adapter_by_itself(stand: Stand) -> None:
    adapter = ports().deliveries
    stand.put("a.gz", HEAD + line("ALPHA.localhost:443", "/a/%C3%BCber", 12, status=206, method="HEAD"))
    stand.put("a.txt", "something else")
    (file,) = adapter.arrived(NOW - 24 * HOUR)
    assert list(adapter.read(file.name)) == [Delivery(BEFORE, "alpha.localhost:443", "HEAD", "/a/über", 206, 12)]
    assert list(adapter.arrived(datetime.now(UTC) + HOUR)) == []
    with pytest.raises(BlobMissing):
        list(adapter.read("cf/none.gz"))
    stand.downloaded(BEFORE, 5)
    stand.downloaded(BEFORE, 6)
    assert adapter.downloaded(BEFORE, BEFORE + HOUR) == 11
    assert adapter.downloaded(BEFORE + HOUR, BEFORE + 2 * HOUR) == 0


def test_lines_with_a_timestamp_and_no_date() -> None:
    told = {"timestamp": str(int(BEFORE.timestamp())), "cs(Host)": "x.example", "cs-uri-stem": "/", "sc-bytes": "1"}
    (found,) = read_lines([json.dumps({**told, "cs-method": "GET", "sc-status": "000"})])
    assert found == Delivery(BEFORE, "x.example", "GET", "/", 0, 1)
    with pytest.raises(UnreadableLog, match="line 1"):
        list(read_lines([json.dumps(told)]))


def test_where_the_app_counts_no_log_is_looked_for() -> None:
    nothing = NoDeliveryLogs()
    assert list(nothing.arrived(NOW)) == [] and nothing.downloaded(BEFORE, NOW) == 0
    with pytest.raises(BlobMissing):
        nothing.read("x")


def test_its_settings_are_asked_for(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="VITRINE_CLOUDFRONT_LOG_BUCKET"):
        load(data_dir=tmp_path, deliveries="cloudfront", aws_region="us-east-1", cloudfront_distribution="E1")
