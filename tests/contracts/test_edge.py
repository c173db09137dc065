"""The Edge contract (infra/ports.py)."""

from datetime import timedelta

import pytest
from conftest import ManualClock

from infra.local.edge import AppEdge
from infra.ports import Edge

PREFIX = "t/01/r/a1/3/"


@pytest.fixture
def edge(clock: ManualClock) -> Edge:
    return AppEdge("a secret of the server", clock)


def test_a_token_opens_its_prefix_until_its_time(edge: Edge, clock: ManualClock) -> None:
    until = clock.now() + timedelta(hours=1)
    token = edge.grant(PREFIX, until=until)
    assert token == edge.grant(PREFIX, until=until)
    assert "/" not in token
    assert edge.allows(PREFIX, token)
    assert not edge.allows("t/01/r/a1/4/", token)
    assert not edge.allows("t/02/r/a1/3/", token)
    clock.sleep(3600)
    assert not edge.allows(PREFIX, token)


@pytest.mark.parametrize("forged", ["", "-", "zz-0", "7fffffff", "-" + "0" * 32, "²-" + "0" * 32, "7fffffff-" + "é"])
def test_forged_tokens_open_nothing(edge: Edge, forged: str) -> None:
    assert not edge.allows(PREFIX, forged)


def test_a_later_expiry_cannot_be_written_in(edge: Edge, clock: ManualClock) -> None:
    _, _, signature = edge.grant(PREFIX, until=clock.now() + timedelta(hours=1)).partition("-")
    assert not edge.allows(PREFIX, f"7fffffff-{signature}")


def test_another_servers_token_is_refused(edge: Edge, clock: ManualClock) -> None:
    other = AppEdge("another secret", clock)
    assert not edge.allows(PREFIX, other.grant(PREFIX, until=clock.now() + timedelta(hours=1)))
