"""`make cost`: writes `docs/cost.md` from `prices.toml` and the service times of `infra/scaling`."""

import math
from pathlib import Path

from infra.cost.prices import FILE, book, described, price, use, worker_hour
from infra.scaling import policy
from infra.scaling.simulate import WORKERS_A_HOST
from infra.scaling.traffic import photo_seconds, video_seconds

PAGE = Path(__file__).parents[2] / "docs/cost.md"
HOURS = 730.0
"""Of a month, as AWS counts."""

_SQS_REQUESTS_A_JOB = 6
_ROW_GB = 12e-6
_SMALL = 1_000
"""Up to so many tenants one zone and a small database do."""


def worker_dollars(seconds: float) -> float:
    """What a worker's `seconds` cost: Spot and On-Demand as they are mixed, idle time included."""
    return seconds / 3600 * float(worker_hour(book()))


def of_one(kind: str) -> dict[str, float]:
    """Dollars of one photo (`photo`) or one minute of video (`video`). `stored` and `delivered` are for a month."""
    seconds = photo_seconds() if kind == "photo" else video_seconds(60.0)
    puts = use("upload_puts") + use(f"{kind}_renditions")
    delivered = use(f"{kind}_view_mb") / 1000 * price("cloudfront_gb") + price("cloudfront_requests_10000") / 10_000
    return {
        "worked on": worker_dollars(seconds),
        "written": puts * price("s3_put_1000") / 1000 + _SQS_REQUESTS_A_JOB * price("sqs_million") / 1e6,
        "stored": _stored(kind),
        "delivered": delivered,
    }


def _stored(kind: str) -> float:
    """Dollars of one for a month."""
    original, renditions = (use(f"{kind}_{what}_mb") / 1000 for what in ("original", "renditions"))
    return original * price("s3_gb_month") + renditions * price("s3_renditions_gb_month")


def _added(tenants: int) -> dict[str, float]:
    return {
        "photo": tenants * use("photos_tenant_month"),
        "video": tenants * use("video_minutes_tenant_month"),
    }


def month(tenants: int) -> dict[str, float]:
    """Dollars a month by what they are for."""
    added = _added(tenants)
    views = {kind: number * use(f"views_{kind}_month") for kind, number in added.items()}
    stored = sum(number * use("kept_months") * _stored(kind) for kind, number in added.items())
    delivered_gb = sum(number * use(f"{kind}_view_mb") / 1000 for kind, number in views.items())
    # A look at a video is a playlist and its segments of six seconds.
    requests = views["photo"] + views["video"] * 12
    behind = requests * (1 - use("edge_hits"))
    kept = sum(added.values()) * use("kept_months")
    return {
        "S3 storage": stored,
        "S3 and SQS requests": sum(number * of_one(kind)["written"] for kind, number in added.items())
        + behind * price("s3_get_1000") / 1000,
        "CloudFront delivery": delivered_gb * price("cloudfront_gb")
        + requests * price("cloudfront_requests_10000") / 10_000,
        "Processors, Spot and On-Demand": _processors(added),
        "Web, upload and keeper hosts": _others(behind),
        "Load balancer and NAT gateways": _network(tenants, delivered_gb * (1 - use("edge_hits"))),
        "RDS PostgreSQL": _database(tenants, kept),
        "SimpleDB": kept * _ROW_GB / 6 * price("simpledb_gb_month") + kept * 2e-6 * price("simpledb_hour"),
        "CloudWatch metrics by tenant": _metrics(tenants),
        "CloudWatch logs": behind * use("log_kb_request") / 1e6 * price("logs_gb"),
    }


def _processors(added: dict[str, float]) -> float:
    seconds = added["photo"] * photo_seconds() + added["video"] * video_seconds(60.0)
    hours = seconds / 3600 / WORKERS_A_HOST / use("worker_busy")
    # One host is always there and never Spot.
    on_demand = max(HOURS, (1 - use("spot_share")) * hours)
    return on_demand * price("processor_hour") + max(0.0, hours - on_demand) * price("processor_spot_hour")


def _others(behind: float) -> float:
    busiest_minute = 3 * behind / HOURS / 60
    web = max(2, math.ceil(busiest_minute / policy.WEB_REQUESTS_PER_MINUTE))
    return HOURS * (web * price("web_hour") + 2 * price("upload_hour") + price("keeper_hour"))


def _network(tenants: int, balanced_gb: float) -> float:
    gateways = 1 if tenants <= _SMALL else 2
    balancer = HOURS * price("alb_hour") + max(HOURS, balanced_gb) * price("alb_lcu_hour")
    return balancer + gateways * HOURS * price("nat_hour")


def _database(tenants: int, kept: float) -> float:
    small = tenants <= _SMALL
    disk = max(20.0, kept * _ROW_GB) * price("rds_gb_month") * (1 if small else 2)
    return HOURS * price("rds_small_hour" if small else "rds_large_hour") + disk


def _metrics(tenants: int) -> float:
    number = tenants * use("metrics_tenant") + use("metrics_fleet")
    cheap = max(0.0, number - 10_000)
    return (number - cheap) * price("metric_month") + cheap * price("metric_month_more")


_INTRO = f"""# What it costs
Written by `make cost` from [`infra/cost/{FILE.name}`](../infra/cost/{FILE.name}): edit prices and amounts there and run
it again; a test checks that this page follows the file. The prices were written down without access to AWS's list, the
amounts are assumptions, and free tiers, taxes, support and reserved capacity are left out. Read it as orders of
magnitude.
"""

_OUTRO = """
CloudWatch bills each combination of a metric and a tenant as a metric of its own, so what is measured by tenant grows
with tenants as nothing else does. From some hundreds on keep `VITRINE_METRICS=sql`, or let only the ledger's meters be
published by tenant.
"""


def page() -> str:
    tables = {tenants: month(tenants) for tenants in (100, 10_000)}
    small, large = tables.values()
    lines = [_INTRO, "## A month", "| | 100 tenants | 10,000 tenants |", "|---|---:|---:|"]
    lines += [f"| {what} | ${small[what]:,.2f} | ${large[what]:,.2f} |" for what in small]
    lines += [f"| **Together** | **${sum(small.values()):,.2f}** | **${sum(large.values()):,.2f}** |"]
    lines += [f"| A tenant | ${sum(small.values()) / 100:,.2f} | ${sum(large.values()) / 10_000:,.2f} |", _OUTRO]
    photo, video = of_one("photo"), of_one("video")
    lines += [
        "## One photo, one minute of video",
        "In US dollars. Stored is for a month, delivered for one look at it.",
        "",
    ]
    lines += ["| | a photo | a minute of video |", "|---|---:|---:|"]
    lines += [f"| {what} | {photo[what]:.7f} | {video[what]:.7f} |" for what in photo]
    year = [sum(one.values()) - one["stored"] - one["delivered"] + 12 * one["stored"] for one in (photo, video)]
    lines += [f"| **Made and stored for a year** | **{year[0]:.5f}** | **{year[1]:.5f}** |", ""]
    lines += [
        "## What is assumed",
        "| amount | of |",
        "|---:|---|",
        *(f"| {value:g} | {of} |" for value, of in described("use")),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
