"""How many jobs lie ready for workers beyond those that are free."""

from processor.pace import LONG_LYING_SECONDS, SHORT_SECONDS, Pace


def test_nothing_lies_ready_until_jobs_have_been_short_for_a_while() -> None:
    pace = Pace()
    ready = []
    for _ in range(20):
        pace.ended(0.05)
        ready.append(pace.ready(4))
    assert ready[0] == 0 and ready[-1] == 4
    assert ready == sorted(ready)


def test_one_long_job_ends_it() -> None:
    pace = Pace(seconds=0.05)
    assert pace.ready(2) == 2
    pace.ended(60)
    assert pace.ready(2) == 0


def test_jobs_of_a_second_never_lie_ready() -> None:
    pace = Pace()
    for _ in range(100):
        pace.ended(2 * SHORT_SECONDS)
    assert pace.ready(2) == 0


def test_what_lay_for_long_starts_it_over() -> None:
    pace = Pace(seconds=0.05)
    pace.slow()
    assert (pace.seconds, pace.ready(2)) == (LONG_LYING_SECONDS, 0)
