"""Dates as people write them, in the language of the request."""

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval

from webapp.language import current


def span(first: datetime | None, last: datetime | None) -> str:
    """`3–5 Jun 2024`; one date when they are the same day; empty when there is none."""
    return _span(first.date(), last.date(), current()) if first and last else ""


@lru_cache(maxsize=1024)
def _span(first: date, last: date, locale: Locale) -> str:
    return format_interval(first, last, skeleton="yMMMd", locale=locale)


def day(when: datetime) -> str:
    """`3 June 2024`."""
    return format_date(when, "long", locale=current())


def moment(taken_at: datetime, offset: int | None) -> str:
    """When a photo was taken, on the clock that hung there, with that clock's zone (minutes east) where it is known."""
    zone = timezone(timedelta(minutes=offset or 0))
    local, locale = taken_at.astimezone(zone), current()
    clock = format_datetime(local, locale.time_formats["short"].pattern, tzinfo=zone, locale=locale)
    pattern = locale.datetime_formats["medium"]
    text = str(pattern).replace("{0}", clock).replace("{1}", day(local)).replace("'", "")
    return text if offset is None else f"{text} {_utc(offset)}"


def _utc(offset: int) -> str:
    """UTC, UTC+2, UTC−9:30."""
    hours, minutes = divmod(abs(offset), 60)
    sign = "+" if offset > 0 else "−"
    return "UTC" if offset == 0 else f"UTC{sign}{hours}" + (f":{minutes:02d}" if minutes else "")
