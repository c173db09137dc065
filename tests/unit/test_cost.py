"""docs/cost.md follows the price file, and the sums behave as sums of prices."""

import pytest

from infra.cost import prices, table


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
