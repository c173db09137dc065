"""The SQS adapter beyond the port's contract: its queues, and messages that somebody else sent. Moto stands behind."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aws_double import DoubleClock

from infra.aws.client import Clients
from infra.aws.sqs import MAX_BYTES, SqsQueue, seconds
from infra.errors import Unavailable
from infra.settings import SettingsError

VISIBILITY = timedelta(seconds=30)


@pytest.fixture
def clients(moto_clock: DoubleClock, keys: None) -> Iterator[Clients]:
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    yield clients
    clients.close()


@pytest.fixture
def sqs(clients: Clients) -> Any:
    return clients.get("sqs")


def make(clients: Clients, clock: DoubleClock, name: str, max_receives: int = 3) -> SqsQueue:
    return SqsQueue(clients, clock, name=name, max_receives=max_receives)


def test_both_queues_are_made_once_and_found_again(
    clients: Clients, sqs: Any, moto_clock: DoubleClock, unique: str
) -> None:
    for _ in range(2):
        make(clients, moto_clock, unique).depth()
    attributes = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=unique)["QueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    policy = json.loads(attributes["RedrivePolicy"])
    assert policy["maxReceiveCount"] == 3 and policy["deadLetterTargetArn"].endswith(f":{unique}-dead")
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)


def test_a_queue_with_another_bound_stops_the_start(clients: Clients, moto_clock: DoubleClock, unique: str) -> None:
    make(clients, moto_clock, unique).depth()
    with pytest.raises(SettingsError, match=f"VITRINE_MAX_RECEIVES: is 4, but the redrive policy of {unique} says 3"):
        make(clients, moto_clock, unique, 4).depth()


def test_a_queue_without_dead_letters_stops_the_start(
    clients: Clients, sqs: Any, moto_clock: DoubleClock, unique: str
) -> None:
    sqs.create_queue(QueueName=unique)
    with pytest.raises(SettingsError, match=f"VITRINE_SQS_QUEUE: the dead letters of {unique} do not go"):
        make(clients, moto_clock, unique).depth()


def test_a_message_names_its_tenant_for_fairness(
    clients: Clients, sqs: Any, moto_clock: DoubleClock, unique: str
) -> None:
    make(clients, moto_clock, unique).send({"n": 1}, group="alpha")
    (raw,) = sqs.receive_message(
        QueueUrl=sqs.get_queue_url(QueueName=unique)["QueueUrl"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert raw["Attributes"]["MessageGroupId"] == "alpha"


@pytest.mark.parametrize("text", ["not JSON", "[1]", '"text"'])
def test_what_others_send_arrives_and_can_die(
    clients: Clients, sqs: Any, moto_clock: DoubleClock, unique: str, text: str
) -> None:
    queue = make(clients, moto_clock, unique, 1)
    queue.depth()
    sent = sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=unique)["QueueUrl"], MessageBody=text)
    (message,) = queue.receive(1, visibility=VISIBILITY)
    assert (message.id, message.body, message.group) == (sent["MessageId"], {"unreadable": text}, "")
    queue.extend(message.receipt, timedelta())
    assert queue.receive(1, visibility=VISIBILITY) == []
    (letter,) = queue.dead()
    assert queue.redrive(letter.id)
    (again,) = queue.receive(1, visibility=VISIBILITY)
    assert (again.id, again.body, again.receives) == (letter.id, {"unreadable": text}, 1)


def test_looking_at_dead_letters_leaves_all_of_them(clients: Clients, moto_clock: DoubleClock, unique: str) -> None:
    queue = make(clients, moto_clock, unique, 1)
    sent = []
    for n in range(23):
        sent.append(queue.send({"n": n}, group="alpha"))
        moto_clock.sleep(0.01)
    while messages := queue.receive(10, visibility=VISIBILITY):
        for message in messages:
            queue.extend(message.receipt, timedelta())
    for _ in range(2):
        assert [letter.id for letter in queue.dead()] == sent
    assert len(queue.dead(limit=7)) == 7
    assert queue.redrive(sent[20])
    assert {letter.id for letter in queue.dead()} == {*sent} - {sent[20]}
    assert queue.depth().dead == 22


def test_a_message_has_a_bound(clients: Clients, moto_clock: DoubleClock, unique: str) -> None:
    queue = make(clients, moto_clock, unique)
    with pytest.raises(ValueError, match="1 MiB"):
        queue.send({"text": "x" * MAX_BYTES}, group="alpha")
    assert queue.depth().waiting == 0


def test_no_answer_is_told_as_such(keys: None, moto_clock: DoubleClock) -> None:
    clients = Clients(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        make(clients, moto_clock, "jobs").depth()
    clients.close()


def test_spans_are_rounded_up_to_whole_seconds() -> None:
    assert [seconds(timedelta(seconds=s)) for s in (0, 0.2, 1, 1.5)] == [0, 1, 1, 2]
