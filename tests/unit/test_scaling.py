"""The scaling policies by their properties, and a small simulated day with a spike and a Spot loss."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from infra.scaling import policy
from infra.scaling.simulate import Loss, Scenario, settled_after, simulate
from infra.scaling.traffic import Spike, Traffic

_HISTORIES = some.lists(some.floats(0, 1e4), max_size=30)
_NOON = 12 * 3600.0
_QUIET = Scenario("small", Traffic(files_a_day=10_000), least=2, most=20)


@given(_HISTORIES, some.integers(0, 40))
def test_never_leaves_its_bounds_nor_moves_against_the_metric(history: list[float], machines: int) -> None:
    tracking = policy.Tracking(target=20, least=2, most=30)
    wanted = tracking.wanted(history, machines)
    assert 2 <= wanted <= 30
    if len(history) >= 3 and min(history[-3:]) > 20:
        assert wanted >= min(machines, 30)
    if history and history[-1] > 20:
        assert wanted >= min(machines, 30)


@given(some.integers(2, 20), some.floats(21, 200))
def test_what_it_adds_brings_the_metric_to_the_target(machines: int, metric: float) -> None:
    wanted = policy.Tracking(20, 1, 10_000).wanted([metric] * 3, machines)
    assert metric * machines / wanted <= 20 < metric * machines / (wanted - 1)


def test_one_peak_decides_nothing_and_scaling_in_takes_its_time() -> None:
    tracking = policy.Tracking(20, 1, 50)
    assert tracking.wanted([1, 500, 1], 10) == 10
    assert tracking.wanted([0] * 14, 10) == 10
    assert tracking.wanted([0] * 15, 10) == 9


def test_a_backlog_is_as_long_as_may_be_waited_for() -> None:
    assert policy.target_backlog(2.0, 60) == 30
    assert policy.target_backlog(600.0, 60) == 1
    assert policy.backlog_per_worker(7, 0) == 7


def test_busy_machines_are_protected() -> None:
    assert policy.to_end([3, 5, 8], 2) == [3, 5]
    assert policy.to_end([], 4) == []
    assert policy.to_end([3], -1) == []


def test_ten_times_the_traffic_is_worked_off_and_nothing_is_lost() -> None:
    traffic = replace(_QUIET.traffic, spikes=(Spike(_NOON, 1800, 10),))
    day = simulate(replace(_QUIET, traffic=traffic))
    assert day.arrived == day.done + day.waiting + day.running
    assert settled_after(day, _NOON) < 3600
    assert max(minute.age for minute in day.minutes) < 600
    assert day.minutes[-1].processors_spot < max(minute.processors_spot for minute in day.minutes)


def test_without_spot_the_rest_goes_on_and_what_was_running_comes_back() -> None:
    # Films of ten minutes each: none ends within the two minutes of a notice.
    films = replace(_QUIET.traffic, files_a_day=900, video_share=1.0, video_seconds=600.0)
    day = simulate(replace(_QUIET, traffic=films, losses=(Loss(_NOON, 1.0, 3600),)))
    at = [minute for index, minute in enumerate(day.minutes) if _NOON + 180 <= (index + 1) * 60 < _NOON + 3600]
    assert {minute.processors_spot for minute in at} == {0}
    assert {minute.processors_on_demand for minute in at} == {1}
    assert day.returned > 0
    assert day.arrived == day.done + day.waiting + day.running
    assert day.minutes[-1].processors_spot > 0
