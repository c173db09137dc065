"""What is decided before ffmpeg runs: ladder, rate, storyboard, metadata, progress."""

import itertools
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from processor.ffmpeg import ProgressReport, Reached
from processor.steps.video_ladder import BITRATES, Rung, rungs
from processor.steps.video_metadata import details_of
from processor.steps.video_probe import _rate
from processor.steps.video_storyboard import MOST_TILES, index, plan

THIRTY = Fraction(30)


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    return [(rung.width, rung.height) for rung in rungs(width, height, THIRTY)]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ((1920, 1080), [(426, 240), (640, 360), (960, 540), (1280, 720), (1920, 1080)]),
        ((3840, 2160), [(426, 240), (640, 360), (960, 540), (1280, 720), (1920, 1080)]),
        ((1080, 1920), [(240, 426), (360, 640), (540, 960), (720, 1280), (1080, 1920)]),
        ((1280, 720), [(426, 240), (640, 360), (960, 540), (1280, 720)]),
        ((1600, 900), [(426, 240), (640, 360), (960, 540), (1280, 720), (1600, 900)]),
        ((1440, 1088), [(316, 240), (476, 360), (714, 540), (952, 720), (1428, 1080)]),
        ((480, 270), [(480, 270)]),
        ((321, 241), [(320, 240)]),
        ((64, 48), [(64, 48)]),
    ],
)
def test_the_ladder_of_a_source(shown: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert sizes(*shown) == expected


@pytest.mark.parametrize("width", [17, 99, 241, 555, 1081, 1999, 4096, 8192])
@pytest.mark.parametrize("height", [16, 100, 277, 719, 1083, 4320])
def test_no_rung_is_above_the_source_or_odd(width: int, height: int) -> None:
    ladder = rungs(width, height, THIRTY)
    assert len({rung.name for rung in ladder}) == len(ladder)
    assert [rung.width for rung in ladder] == sorted(rung.width for rung in ladder)
    for rung in ladder:
        assert rung.width <= width and rung.height <= height
        assert rung.width % 2 == 0 and rung.height % 2 == 0
        assert min(rung.width, rung.height) <= max(BITRATES)
        assert max(rung.width, rung.height) <= 2.4 * 1080


def test_fast_motion_gets_more_bits() -> None:
    calm, fast = (rungs(1920, 1080, Fraction(rate))[-1].kbits for rate in (30, 60))
    assert fast == 1.5 * calm


@pytest.mark.parametrize(
    ("nominal", "average", "expected"),
    [
        ("30/1", Fraction(30), Fraction(30)),
        ("30000/1001", Fraction("29.96"), Fraction(30000, 1001)),
        ("25/1", Fraction("24.9"), Fraction(25)),
        ("90000/1", Fraction("29.4"), Fraction(30000, 1001)),
        ("30/1", Fraction("14.2"), Fraction(15)),
        ("240/1", Fraction(240), Fraction(60)),
        ("120/1", Fraction("61"), Fraction(60)),
        ("1/1", Fraction(1), Fraction(1)),
        ("0/0", Fraction("0.3"), Fraction(10)),
    ],
)
def test_the_constant_rate_of_renditions(nominal: str, average: Fraction, expected: Fraction) -> None:
    assert _rate({"r_frame_rate": nominal}, average) == expected


@pytest.mark.parametrize("duration", [0.2, 1.9, 2.0, 61.0, 3600.0, 14400.0])
@pytest.mark.parametrize("size", [(426, 240), (240, 426), (64, 48)])
def test_a_storyboard_is_bounded_and_covers_the_video(duration: float, size: tuple[int, int]) -> None:
    board = plan(Rung("v240", *size, 400), duration)
    columns, rows = board.sheet
    assert 1 <= board.tiles <= MOST_TILES
    assert (board.tiles - 1) * board.every < duration <= board.tiles * board.every
    assert columns * rows >= board.tiles
    assert max(board.width, board.height) <= 160
    cues = index(board, duration).split("\n\n")[1:]
    assert len(cues) == board.tiles
    starts_and_ends = [cue.splitlines()[0].split(" --> ") for cue in cues]
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(starts_and_ends))
    assert len({cue.splitlines()[1] for cue in cues}) == board.tiles


def test_an_iphone_says_when_where_and_what() -> None:
    details = details_of(
        {
            "creation_time": "2024-07-03T16:20:05.000000Z",
            "com.apple.quicktime.creationdate": "2024-07-03T18:20:04+0200",
            "com.apple.quicktime.make": "Apple",
            "com.apple.quicktime.model": "iPhone 15 Pro",
            "com.apple.quicktime.location.iso6709": "-33.8568+151.2153+005.100/",
        }
    )
    assert details.taken_at == datetime(2024, 7, 3, 16, 20, 4, tzinfo=UTC)
    assert details.taken_offset == 120
    assert details.media == {
        "camera": "Apple iPhone 15 Pro",
        "private.gps_lat": "-33.856800",
        "private.gps_lon": "151.215300",
    }


def test_an_android_phone_says_it_in_utc() -> None:
    details = details_of(
        {
            "creation_time": "2023-01-02T03:04:05.000000Z",
            "location": "+52.5200+013.4050/",
            "com.android.model": "Pixel 8",
        }
    )
    assert (details.taken_at, details.taken_offset) == (datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC), None)
    assert details.media == {"camera": "Pixel 8", "private.gps_lat": "52.520000", "private.gps_lon": "13.405000"}


@pytest.mark.parametrize(
    "tags",
    [
        {"creation_time": "1904-01-01T00:00:00.000000Z"},
        {"creation_time": "yesterday"},
        {"location": "+99.0000+013.4050/"},
        {"location": "+1.2.3+4/"},
        {"location": "+00.0000+000.0000/"},
        {"com.apple.quicktime.make": "\x00\x07"},
        {"com.apple.quicktime.creationdate": "0001-01-01T00:00:00+1400"},
    ],
)
def test_nonsense_is_left_out(tags: dict[str, str]) -> None:
    details = details_of(tags)
    assert (details.taken_at, details.taken_offset, details.media) == (None, None, {})


def test_progress_survives_what_ffmpeg_prints_at_the_start() -> None:
    told: list[Reached] = []
    report = ProgressReport(told.append)
    text = "frame=0\nout_time_us=N/A\nprogress=continue\nframe=5\nout_time_us=-9223372036854775807\nprogress=continue\n"
    text += "frame=30\nout_time_us=1000000\nprogress=continue\nframe=31\nout_time_us=900000\nprogress=end\n"
    for line in text.splitlines():
        report.line(line)
    assert told == [Reached(0, 0), Reached(0, 5), Reached(1.0, 30), Reached(1.0, 31)]
