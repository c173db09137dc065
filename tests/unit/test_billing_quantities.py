"""From events to the quantities of an hour: whole numbers, whatever the order."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from metered import HOUR, START, Event, truth

from billing.ledger import LedgerHead, hour_of
from billing.plans import Dimension
from billing.quantities import LEVELS, Use, series, window_of
from tenants.usage import Meter

MOMENTS = st.integers(0, 6 * 3600 * 1000 - 1).map(lambda thousandth: START + timedelta(milliseconds=thousandth))
USES = st.lists(st.builds(Use, st.sampled_from(Meter), MOMENTS, st.integers(-(10**12), 10**12)), max_size=30)


def test_a_byte_counts_from_the_second_of_its_event() -> None:
    half = START + timedelta(minutes=30, microseconds=999_999)
    levels = {Meter.STORED: 100, Meter.RENDERED: 40}
    found = window_of(START, levels, [Use(Meter.STORED, half, 7), Use(Meter.RENDERED, half, -3)])
    assert found.quantities[Dimension.STORAGE] == 100 * 3600 + 7 * 1800
    assert found.quantities[Dimension.RENDITIONS] == 40 * 3600 - 3 * 1800
    assert found.levels == {Meter.STORED: 107, Meter.RENDERED: 37}


def test_every_level_has_its_place_in_the_head() -> None:
    assert set(LEVELS) == set(LedgerHead(level=0, rendition_level=0).levels)


def test_uploads_are_counted_and_sums_keep_their_bytes() -> None:
    found = window_of(START, {}, [Use(Meter.UPLOADED, START, 5), Use(Meter.UPLOADED, START, 6)])
    assert found.quantities[Dimension.UPLOADS] == 2
    assert found.sums[Meter.UPLOADED] == 11


def test_seconds_of_video_are_whole_milliseconds() -> None:
    found = window_of(START, {}, [Use(Meter.VIDEO_IN, START, 1500), Use(Meter.VIDEO_IN, START, 501)])
    assert found.quantities[Dimension.VIDEO_IN] == 2001


@given(USES, st.randoms(use_true_random=False))
def test_order_changes_nothing(uses: list[Use], chance: object) -> None:
    shuffled = list(uses)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    end = START + 6 * HOUR
    assert series(START, end, {}, uses) == series(START, end, {}, shuffled)


@given(USES)
def test_hours_agree_with_an_account_second_by_second(uses: list[Use]) -> None:
    end = START + 6 * HOUR
    events = [Event(f"e{n}", use.meter, use.amount / use.meter.per_unit, use.at) for n, use in enumerate(uses)]
    found = {
        (dimension, window): quantity
        for window, counted in series(START, end, {}, uses).items()
        for dimension, quantity in counted.quantities.items()
        if quantity
    }
    assert found == truth(events, START, end)


@given(st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1)), st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]))  # noqa: DTZ001
def test_an_hour_is_one_of_utc_wherever_the_clock_stands(local: datetime, zone: str) -> None:
    """Through leap days and both changes of summer time, and where clocks are half an hour off."""
    at = local.replace(tzinfo=ZoneInfo(zone))
    epoch = int(at.timestamp())
    assert hour_of(at) == datetime.fromtimestamp(epoch - epoch % 3600, UTC)
