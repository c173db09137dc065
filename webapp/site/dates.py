"""Dates as people write them."""

from datetime import datetime, timedelta, timezone

from babel.dates import format_datetime, format_interval, get_timezone_gmt

LOCALE = "en_GB"


def span(first: datetime | None, last: datetime | None) -> str:
    """`3 – 5 June 2024`; one date when they are the same day; empty when there is none."""
    if first is None or last is None:
        return ""
    return format_interval(first.date(), last.date(), skeleton="yMMMMd", locale=LOCALE)


def moment(taken_at: datetime, offset: int | None) -> str:
    """When a photo was taken, on the clock that hung there; with that clock's zone where it is known."""
    if offset is None:
        return format_datetime(taken_at, "d MMMM y, HH:mm", tzinfo=None, locale=LOCALE)
    local = taken_at.astimezone(timezone(timedelta(minutes=offset)))
    zone = get_timezone_gmt(local, width="short", locale=LOCALE)
    return f"{format_datetime(local, 'd MMMM y, HH:mm', tzinfo=local.tzinfo, locale=LOCALE)} {zone}"
