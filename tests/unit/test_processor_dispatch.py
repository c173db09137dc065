"""Whoever can write to Redis must not be able to run code in a worker."""

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from infra.ports import Message
from processor import worker
from processor.dispatch import QUEUE, Dispatch, MediaJob, NotAllowed, connect
from tenants.names import new_id


@pytest.fixture
def dispatch(core: Flask, redis_url: str) -> Iterator[Dispatch]:
    with connect(redis_url) as client:
        client.flushall()
        yield Dispatch(client)


def message(receives: int = 1) -> Message:
    body = {"kind": "media", "tenant": new_id(), "asset": new_id()}
    return Message(new_id(), "receipt", body, "alpha", receives, sent_at=None)  # type: ignore[arg-type]


def plant(client: Redis, **record: Any) -> str:
    """What an attacker with access to Redis can do: a job's record as they like it, and its id in the queue."""
    job_id = uuid4().hex
    fields = {"created_at": "2026-01-01T00:00:00.000000Z", "origin": QUEUE, "status": "queued", "timeout": "60"}
    client.hset(f"rq:job:{job_id}", mapping={**fields, **record})
    client.rpush(f"rq:queue:{QUEUE}", job_id)
    return job_id


def work_off(client: Redis, url: str) -> None:
    """One worker, as the pool runs it, until the queue is empty."""
    context = multiprocessing.get_context("fork")
    arguments = ("w", [QUEUE], partial(connect, url), MediaJob, True)
    process = context.Process(
        target=worker.work, args=arguments, kwargs={"parent": multiprocessing.process.current_process().pid}
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert client.llen(f"rq:queue:{QUEUE}") == 0


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def hostile(name: str, path: Path) -> dict[str, Any]:
    allowed = JSONSerializer.dumps(["processor.jobs.run", None, ["no", "ids", "m", 1], {}])
    return {
        "a dotted name in JSON": {"data": JSONSerializer.dumps(["os.mkdir", None, [str(path)], {}])},
        "a method of an instance": {"data": JSONSerializer.dumps(["processor.jobs.run", "x", [], {}])},
        "a name that is no string": {"data": JSONSerializer.dumps([["os.mkdir"], None, [str(path)], {}])},
        "a pickle": {"data": pickle.dumps(("os.mkdir", None, (str(path),), {}))},
        "a pickle that runs when loaded": {"data": pickle.dumps(("x", None, (Evil(path),), {}))},
        "a failure callback": {"data": allowed, "failure_callback_name": "os.mkdir"},
        "a success callback": {"data": allowed, "success_callback_name": "os.mkdir"},
        "a hostile result": {"data": allowed, "result": pickle.dumps(Evil(path))},
        "hostile meta": {"data": allowed, "meta": pickle.dumps(Evil(path))},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "a dotted name in JSON",
        "a method of an instance",
        "a name that is no string",
        "a pickle",
        "a pickle that runs when loaded",
        "a failure callback",
        "a success callback",
        "a hostile result",
        "hostile meta",
    ],
)
def test_a_worker_refuses(dispatch: Dispatch, redis_url: str, tmp_path: Path, name: str) -> None:
    evidence = tmp_path / "evidence"
    job_id = plant(dispatch.connection, **hostile(name, evidence))
    work_off(dispatch.connection, redis_url)
    assert not evidence.exists()
    assert dispatch.look([job_id])[1] == {job_id: JobStatus.FAILED.value}


def test_plain_rq_would_have_run_it(dispatch: Dispatch, tmp_path: Path) -> None:
    """Shows that the job that is refused above is a working one."""
    evidence = tmp_path / "evidence"
    job_id = plant(dispatch.connection, **hostile("a dotted name in JSON", evidence))
    Job.fetch(job_id, connection=dispatch.connection, serializer=JSONSerializer).perform()
    assert evidence.is_dir()


def test_callbacks_and_webhooks_of_a_record_are_not_seen(dispatch: Dispatch) -> None:
    names = {f"{kind}_callback_name": "os.getcwd" for kind in ("success", "failure", "stopped")}
    hook = b'[{"url": "http://127.0.0.1/", "job_status": "finished"}]'
    data = JSONSerializer.dumps(["processor.jobs.run", None, [], {}])
    job_id = plant(dispatch.connection, data=data, webhooks=hook, **names)
    job = MediaJob.fetch(job_id, connection=dispatch.connection, serializer=JSONSerializer)
    assert (job.success_callback, job.failure_callback, job.stopped_callback, job.webhooks) == (None, None, None, [])


def test_only_the_named_function_is_found(dispatch: Dispatch) -> None:
    for name in ("processor.jobs.shutil.rmtree", "os.system", "", "processor.jobs.run "):
        job = MediaJob.create(name, connection=dispatch.connection, serializer=JSONSerializer)
        with pytest.raises(NotAllowed):
            _ = job.func


def test_a_job_is_queued_once_per_id(dispatch: Dispatch) -> None:
    sent = message()
    dispatch.put("m-1", sent)
    dispatch.put("m-1", sent)
    assert dispatch.fleet().queued == {"m-1"}
    assert dispatch.queue.count == 1
    assert dispatch.look(["m-1", "m-2"])[1] == {"m-1": "queued", "m-2": None}


def test_a_queued_job_can_be_taken_back(dispatch: Dispatch) -> None:
    dispatch.put("m-1", message())
    assert dispatch.take_back("m-1")
    assert not dispatch.take_back("m-1")
    assert dispatch.connection.keys("rq:job:*") == []
