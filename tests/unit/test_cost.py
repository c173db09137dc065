"""docs/cost.md follows the price file, and the sums behave as sums of prices."""

import re
import subprocess
from pathlib import Path

import pytest

from billing import costs
from infra.cost import prices, table

ROOT = Path(__file__).parents[2]
SOLD = "billing/plans.py"
"""What tenants are asked for, which is not AWS's to say."""
OTHERS = {
    ("webapp/brand/mark.py", "0.045"),  # A shade.
    ("infra/scaling/simulate.py", "0.005"),  # Spot machines that are taken away.
    ("infra/scaling/traffic.py", "0.045"),  # The mean of a logarithm.
}


def test_the_page_is_what_the_price_file_says() -> None:
    assert table.PAGE.read_text() == table.page(), "run `make cost`"


def test_all_that_is_billed_has_a_share_and_grows_with_tenants() -> None:
    small, large = table.month(100), table.month(10_000)
    assert all(value > 0 for value in small.values())
    assert all(large[what] >= small[what] for what in small)
    assert sum(large.values()) / 10_000 < sum(small.values()) / 100


def test_metrics_are_cheaper_beyond_ten_thousand() -> None:
    tenants = 10_000
    number = tenants * prices.use("metrics_tenant") + prices.use("metrics_fleet")
    expected = 10_000 * prices.price("metric_month") + (number - 10_000) * prices.price("metric_month_more")
    assert table.month(tenants)["CloudWatch metrics by tenant"] == pytest.approx(expected)


def test_an_unknown_price_is_named() -> None:
    with pytest.raises(KeyError, match="moon_hour"):
        prices.price("moon_hour")


def test_margins_and_the_page_read_the_same_file() -> None:
    assert costs.load() == prices.book()
    assert table.worker_dollars(3600) == pytest.approx(float(prices.worker_hour(costs.load())))


def test_nothing_else_holds_a_price() -> None:
    """No other file of the product has one of the numbers that are told for AWS's prices, nor a list of prices."""
    told = {str(entry.value) for entry in prices.book().prices.values() if len(str(entry.value)) > 4}
    assert len(told) > 10
    number = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, sorted(told))) + r")(?![\w.])")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    files = [name for name in listed if name.endswith((".py", ".toml", ".json", ".env", ".yaml")) and _ours(name)]
    assert {"billing/costs.py", "infra/cost/table.py", "infra/scaling/figures.json"} <= set(files)
    held = {(name, found) for name in files for found in number.findall((ROOT / name).read_text())}
    assert {name for name, _ in held - OTHERS} == {"infra/cost/prices.toml"}
    assert [name for name in listed if re.search(r"price.*\.(toml|json|ya?ml|csv)$", name)] == [
        "infra/cost/prices.toml"
    ]


def _ours(name: str) -> bool:
    return name.startswith(("billing/", "infra/", "tenants/", "webapp/", "processor/", "uploader/")) and name != SOLD
