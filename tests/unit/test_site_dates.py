"""Capture times on the clock of the place, and spans of dates."""

from datetime import UTC, datetime

import pytest

from webapp.site.dates import moment, span

NOON = datetime(2024, 6, 3, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        (None, "3 June 2024, 12:05"),
        (0, "3 June 2024, 12:05 UTC"),
        (120, "3 June 2024, 14:05 UTC+2"),
        (345, "3 June 2024, 17:50 UTC+5:45"),
        (-570, "3 June 2024, 02:35 UTC−9:30"),
        (-780, "2 June 2024, 23:05 UTC−13"),
    ],
)
def test_a_moment_is_told_in_its_own_zone(offset: int | None, shown: str) -> None:
    assert moment(NOON, offset) == shown


def test_a_span_says_no_more_than_it_must() -> None:
    assert span(NOON, NOON) == "3 Jun 2024"
    assert span(NOON, NOON.replace(day=5)) == "3–5 Jun 2024"
    assert span(NOON.replace(year=2023), NOON) == "3 Jun 2023\u2009–\u20093 Jun 2024"
    assert span(None, None) == ""
