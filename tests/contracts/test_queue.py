"""JobQueue: SQS's standard queue, whichever adapter stands behind it.

Time is the test's own, except on AWS, and where two real processes receive at once.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from behind import SQL, SQS
from conftest import ManualClock
from contracts.queue_stand import MAX_RECEIVES, Stand, queue_stand

from infra.aws.sqs import SqsQueue
from infra.errors import ReceiptExpired
from infra.local.clock import SystemClock
from infra.ports import MAX_DELAY, Clock, Depth, JobQueue, SearchableQueue

SECOND = timedelta(seconds=1)
VISIBILITY = timedelta(seconds=30)


@pytest.fixture(params=[*SQL, *SQS])
def stand(request: pytest.FixtureRequest, tmp_path: Path, unique: str) -> Iterator[Stand]:
    with queue_stand(request, tmp_path, unique) as stand:
        yield stand


@pytest.fixture
def queue(stand: Stand) -> JobQueue:
    return stand.queue


@pytest.fixture
def clock(stand: Stand) -> Clock:
    return stand.clock


def receive_one(queue: JobQueue) -> tuple[str, str]:
    """Id and receipt of the only message that is due."""
    (message,) = queue.receive(10, visibility=VISIBILITY)
    return message.id, message.receipt


def test_what_was_sent_is_received(queue: JobQueue, clock: Clock) -> None:
    body = {"kind": "media", "nested": {"n": [1, 2.5, None, "ü"]}}
    sent = queue.send(body, group="alpha")
    (message,) = queue.receive(1, visibility=VISIBILITY)
    assert (message.id, message.body, message.group, message.receives) == (sent, body, "alpha", 1)
    assert clock.now() - message.sent_at < 5 * SECOND


def test_an_empty_queue_gives_nothing_at_once(queue: JobQueue, clock: Clock) -> None:
    before = clock.now()
    assert queue.receive(10, visibility=VISIBILITY) == []
    assert clock.now() - before < 5 * SECOND


def test_a_receive_waits_for_a_message_that_is_delayed(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha", delay=3 * SECOND)
    before = clock.now()
    assert queue.receive(1, visibility=VISIBILITY, wait=SECOND) == []
    assert len(queue.receive(1, visibility=VISIBILITY, wait=20 * SECOND)) == 1
    assert clock.now() - before < 10 * SECOND  # It returned with the message, not when the wait was over.


@pytest.mark.parametrize("limit", [0, 11])
def test_a_receive_is_for_one_to_ten(queue: JobQueue, limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        queue.receive(limit, visibility=VISIBILITY)


def test_a_receive_gives_at_most_its_limit(queue: JobQueue) -> None:
    sent = {queue.send({"n": n}, group="alpha") for n in range(5)}
    first = queue.receive(3, visibility=VISIBILITY)
    rest = queue.receive(10, visibility=VISIBILITY)
    assert (len(first), len(rest)) == (3, 2)
    assert {message.id for message in (*first, *rest)} == sent


def test_a_received_message_is_invisible_until_its_time_is_over(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha")
    receive_one(queue)
    clock.sleep(29)
    assert queue.receive(1, visibility=VISIBILITY) == []
    clock.sleep(1)
    (again,) = queue.receive(1, visibility=VISIBILITY)
    assert again.receives == 2


def test_an_extended_message_stays_invisible_from_then_on(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha")
    _, receipt = receive_one(queue)
    clock.sleep(29)
    queue.extend(receipt, VISIBILITY)
    clock.sleep(29)
    assert queue.receive(1, visibility=VISIBILITY) == []
    clock.sleep(1)
    assert len(queue.receive(1, visibility=VISIBILITY)) == 1


def test_extending_to_zero_gives_back_at_once(queue: JobQueue) -> None:
    queue.send({}, group="alpha")
    _, receipt = receive_one(queue)
    queue.extend(receipt, timedelta())
    assert len(queue.receive(1, visibility=VISIBILITY)) == 1


def test_a_receipt_ends_when_the_message_is_received_again(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha")
    _, stale = receive_one(queue)
    clock.sleep(30)
    _, receipt = receive_one(queue)
    with pytest.raises(ReceiptExpired):
        queue.extend(stale, VISIBILITY)
    queue.delete(stale)
    queue.extend(receipt, timedelta())
    assert receive_one(queue)


def test_a_receipt_outlives_its_timeout_while_nobody_else_receives(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha")
    _, receipt = receive_one(queue)
    clock.sleep(31)
    queue.delete(receipt)
    assert queue.depth().waiting == 0


def test_a_deleted_message_is_gone(queue: JobQueue, clock: Clock) -> None:
    queue.send({}, group="alpha")
    _, receipt = receive_one(queue)
    queue.delete(receipt)
    queue.delete(receipt)
    clock.sleep(60)
    assert queue.receive(1, visibility=VISIBILITY) == []
    with pytest.raises(ReceiptExpired):
        queue.extend(receipt, VISIBILITY)


def test_too_many_receives_make_a_dead_letter(queue: JobQueue, clock: Clock) -> None:
    queue.send({"n": 1}, group="alpha")
    queue.send({"n": 2}, group="alpha", delay=MAX_DELAY)
    ids = set()
    for _ in range(MAX_RECEIVES):
        ids.add(receive_one(queue)[0])
        clock.sleep(30)
    assert queue.receive(10, visibility=VISIBILITY) == []
    (letter,) = queue.dead()
    assert ids == {letter.id}
    assert (letter.body, letter.group, letter.receives) == ({"n": 1}, "alpha", MAX_RECEIVES)
    assert queue.depth() == Depth(waiting=0, in_flight=1, dead=1)


def test_dead_letters_do_not_use_up_a_receive(queue: JobQueue, clock: Clock) -> None:
    for _ in range(2):
        queue.send({"bad": True}, group="alpha")
    for _ in range(MAX_RECEIVES):
        assert len(queue.receive(2, visibility=SECOND)) == 2
        clock.sleep(1)
    good = queue.send({"bad": False}, group="alpha")
    assert [message.id for message in queue.receive(1, visibility=VISIBILITY)] == [good]


def test_a_redriven_letter_starts_over(queue: JobQueue, clock: Clock) -> None:
    sent = queue.send({}, group="alpha")
    for _ in range(MAX_RECEIVES + 1):
        queue.receive(1, visibility=SECOND)
        clock.sleep(1)
    assert queue.redrive(sent)
    assert queue.dead() == []
    (message,) = queue.receive(1, visibility=VISIBILITY)
    assert (message.id, message.receives) == (sent, 1)


def test_only_dead_letters_are_redriven(queue: JobQueue) -> None:
    alive = queue.send({}, group="alpha")
    assert not queue.redrive(alive)
    assert not queue.redrive("01hzzzzzzzzzzzzzzzzzzzzzzz")


def test_a_discarded_letter_is_gone(queue: JobQueue, clock: Clock) -> None:
    sent = queue.send({}, group="alpha")
    assert not queue.discard(sent)
    for _ in range(MAX_RECEIVES + 1):
        queue.receive(1, visibility=SECOND)
        clock.sleep(1)
    assert queue.discard(sent)
    assert queue.dead() == []
    assert queue.depth() == Depth(waiting=0, in_flight=0, dead=0)
    assert not queue.discard(sent)


def test_depth_counts_waiting_in_flight_and_dead(queue: JobQueue) -> None:
    for _ in range(3):
        queue.send({}, group="alpha")
    queue.receive(1, visibility=VISIBILITY)
    depth = queue.depth()
    assert (depth.waiting, depth.in_flight, depth.dead) == (2, 1, 0)


def test_the_age_of_what_waits_is_known_or_said_to_be_unknown(queue: JobQueue, clock: Clock) -> None:
    before = clock.now()
    for n in range(2):
        queue.send({"n": n}, group="alpha")
        clock.sleep(60)
    oldest = queue.depth().oldest
    assert oldest is None if isinstance(queue, SqsQueue) else oldest == before
    queue.receive(2, visibility=VISIBILITY)
    assert queue.depth().oldest is None


def test_much_work_of_one_group_does_not_hold_up_another(queue: JobQueue, clock: Clock) -> None:
    for n in range(30):
        queue.send({"n": n}, group="alpha", ahead=n)
        clock.sleep(0.01)
    assert {message.group for message in queue.receive(2, visibility=VISIBILITY)} == {"alpha"}
    queue.send({}, group="beta")
    groups = [queue.receive(1, visibility=VISIBILITY)[0].group for _ in range(4)]
    assert sorted(groups) == ["alpha"] * 3 + ["beta"]
    assert "beta" in groups[:2]


def test_the_group_with_much_work_goes_on(queue: JobQueue) -> None:
    for n in range(30):
        queue.send({"n": n}, group="alpha", ahead=n)
    groups = []
    for _ in range(12):
        queue.send({}, group="beta")
        groups.append(queue.receive(1, visibility=VISIBILITY)[0].group)
    assert 3 <= groups.count("alpha") <= 9


def test_a_receive_of_many_takes_from_every_group(queue: JobQueue) -> None:
    for group in ("alpha", "beta", "gamma"):
        for n in range(2):
            queue.send({"n": n}, group=group, ahead=n)
    assert len({message.group for message in queue.receive(6, visibility=VISIBILITY)}) == 3


def test_a_delay_has_a_bound(queue: JobQueue) -> None:
    for delay in (MAX_DELAY + SECOND, -SECOND):
        with pytest.raises(ValueError, match="15 minutes"):
            queue.send({}, group="alpha", delay=delay)
    assert queue.depth().waiting == 0


RECEIVER = """
import sys
import time
from datetime import timedelta
from infra.local.clock import SystemClock
{elsewhere}
print("ready", flush=True)
sys.stdin.readline()
while messages := queue.receive(1, visibility=timedelta(minutes=5)):
    for message in messages:
        print(message.id)
    time.sleep(0.01)  # SQLite's lock is not fair: let the other one have a turn.
"""


def test_two_processes_never_share_a_message(stand: Stand) -> None:
    if isinstance(stand.clock, ManualClock):
        stand.clock.time = SystemClock().now()  # The receivers' clock is the machine's.
    sent = sorted(stand.queue.send({"n": n}, group="alpha") for n in range(60))
    receivers = [
        subprocess.Popen(
            [sys.executable, "-c", RECEIVER.format(elsewhere=stand.elsewhere)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    try:
        for receiver in receivers:
            assert receiver.stdout is not None
            assert receiver.stdout.readline() == "ready\n"
        for receiver in receivers:
            assert receiver.stdin is not None
            receiver.stdin.write("go\n")
            receiver.stdin.flush()
        shares = [receiver.communicate(timeout=60)[0].split() for receiver in receivers]
    finally:
        for receiver in receivers:
            receiver.kill()
            receiver.wait()
    assert sorted(shares[0] + shares[1]) == sent
    assert all(shares)


@pytest.mark.parametrize("stand", SQL, indirect=True)
def test_a_message_can_be_looked_up_on_sql(stand: Stand) -> None:
    queue, clock = stand.queue, stand.clock
    assert isinstance(queue, SearchableQueue)
    message_id = queue.send({"asset": "a", "n": 1}, group="g")
    queue.send({"asset": "b"}, group="g")
    queue.send({"asset": "a"}, group="another")
    began = clock.now()

    def found() -> tuple[str, int, timedelta | None]:
        (one,) = queue.find("g", "asset", "a")
        assert (one.id, one.sent_at) == (message_id, began)
        return one.state, one.receives, one.until - began if one.until else None

    assert found() == ("waiting", 0, None)
    for receive in range(1, MAX_RECEIVES + 1):
        queue.receive(10, visibility=VISIBILITY)
        assert found() == ("in flight", receive, clock.now() + VISIBILITY - began)
        clock.sleep(31)
        assert found() == ("waiting", receive, None)
    queue.receive(10, visibility=VISIBILITY)
    assert found() == ("dead", MAX_RECEIVES, clock.now() - began)
    assert queue.find("g", "asset", "c") == queue.find("h", "asset", "a") == queue.find("g", "n", "x") == []
    queue.send({"asset": "c"}, group="g", delay=SECOND)
    assert [one.state for one in queue.find("g", "asset", "c")] == ["delayed"]
