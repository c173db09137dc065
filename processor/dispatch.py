"""What passes through Redis: which jobs exist, how they are put there, and what their workers are doing.

Redis is disposable. Nothing here is the truth about an asset, and everything here may vanish between two calls. Nor is
Redis trusted: a worker runs what `MediaJob.ALLOWED` names and nothing else, whatever a job's record says.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import str_to_date
from rq.worker import WorkerStatus
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from infra.access_log import safe_request_id
from infra.ports import Message
from processor import exporting, jobs, limits
from processor.verdict import subject_of
from tenants.scope import settings

QUEUE = "media"
_WAKE = "vitrine:wake"
_DRAIN = "vitrine:drain"
_HELD = "vitrine:held"
_HELD_SECONDS = 15
BEAT_SECONDS = 5
"""How often a worker says that it lives; one that has been silent for three beats is not counted on."""
_KEEP_SECONDS = 300


class NotAllowed(Exception):
    """A job's record asks for something that no job of ours asks for."""


class MediaJob(Job):
    """A job that can only be one of `ALLOWED`.

    RQ looks a function up by any dotted name that it finds in Redis, with either serializer, and does so for callbacks
    and a method of an instance as well; it also posts to any address that a job's record lists. All four are closed.
    """

    ALLOWED: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "processor.jobs.run": jobs.run,
        "processor.exporting.run": exporting.run,
    }

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., Any]:
        allowed = self.ALLOWED.get(self.func_name) if isinstance(self.func_name, str) else None
        if allowed is None or self.instance is not None:
            raise NotAllowed(repr(self.func_name)[:100])
        return allowed

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self.webhooks = []


@dataclass(frozen=True)
class Fleet:
    """`workers` alive, `busy` of them at work, `queued` the ids of jobs that none has taken; `draining` as asked."""

    workers: int
    busy: int
    queued: frozenset[str]
    draining: bool = False

    @property
    def free(self) -> int:
        return self.workers - self.busy - len(self.queued)


class Dispatch:
    """The bridge's and the workers' view of Redis. Every method may raise `redis.RedisError`."""

    def __init__(self, connection: Redis, job_class: type[Job] = MediaJob) -> None:
        self.connection = connection
        self._workers: frozenset[bytes] = frozenset()
        self.queue = Queue(QUEUE, connection=connection, job_class=job_class, serializer=JSONSerializer)

    def put(self, job_id: str, message: Message) -> None:
        """Queue the job of a received message. Again is no error: an answer may have been lost on its way."""
        body, found = message.body, subject_of(message.body)
        if found is None:
            raise NotAllowed(repr(body)[:100])
        export = body["kind"] == "export"
        try:
            self.queue.enqueue_call(
                "processor.exporting.run" if export else "processor.jobs.run",
                args=(*found, message.id, message.receives, safe_request_id(body.get("trace"))),
                timeout=exporting.LONGEST_SECONDS if export else limits.longest(settings()),
                result_ttl=_KEEP_SECONDS,
                failure_ttl=_KEEP_SECONDS,
                description=f"{body['kind']} {found[1]}",
                job_id=job_id,
                unique=True,
            )
        except DuplicateJobError:
            return

    def look(self, job_ids: Sequence[str] = ()) -> tuple[Fleet, dict[str, str | None]]:
        """The fleet, and RQ's word for each job: None for one that Redis does not know.

        One round trip while the workers are the ones of last time, two when they are not.
        """
        draining, members, queued, statuses, beats = self._ask(job_ids)
        if members != self._workers:
            self._workers = members
            draining, members, queued, statuses, beats = self._ask(job_ids)
        oldest = datetime.now(UTC) - timedelta(seconds=3 * BEAT_SECONDS)
        states = [state for beat, state in beats if beat and str_to_date(beat) > oldest]
        busy = states.count(WorkerStatus.BUSY.value.encode())
        fleet = Fleet(len(states), busy, frozenset(job_id.decode() for job_id in queued), draining)
        said = {job_id: word.decode() if word else None for job_id, word in zip(job_ids, statuses, strict=True)}
        return fleet, said

    def _ask(self, job_ids: Sequence[str]) -> tuple[bool, frozenset[bytes], list[bytes], list[bytes | None], list[Any]]:
        """Whether to drain, workers' keys, ids in the queue, the jobs' statuses, each known worker's beat and state."""
        workers = sorted(key.decode() for key in self._workers)
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.exists(_DRAIN)
            pipeline.smembers(WORKERS_BY_QUEUE_KEY % QUEUE)
            pipeline.lrange(self.queue.key, 0, -1)
            for job_id in job_ids:
                pipeline.hget(MediaJob.key_for(job_id), "status")
            for key in workers:
                pipeline.hmget(key, ["last_heartbeat", "state"])
            draining, members, queued, *others = pipeline.execute()
        return bool(draining), frozenset(members), queued, others[: len(job_ids)], others[len(job_ids) :]

    def fleet(self) -> Fleet:
        return self.look()[0]

    def take_back(self, job_id: str) -> bool:
        """Whether the job was still queued; then no worker will ever have it."""
        taken = bool(self.queue.remove(job_id))
        if taken:
            self.forget(job_id)
        return taken

    def forget(self, job_id: str) -> None:
        """Remove what Redis keeps about a job that is over."""
        with contextlib.suppress(NoSuchJobError):
            MediaJob.fetch(job_id, connection=self.connection, serializer=JSONSerializer).delete()

    def wake(self) -> None:
        """Tell a waiting bridge that a worker has become free."""
        with self.connection.pipeline() as pipeline:
            pipeline.lpush(_WAKE, 1)
            pipeline.ltrim(_WAKE, 0, 0)
            pipeline.execute()

    def wait(self, seconds: float) -> None:
        """Until `wake`, or for `seconds`."""
        self.connection.blpop([_WAKE], timeout=seconds)

    # -- an operator's wish to empty this machine; it lasts as long as Redis remembers it --

    def drain(self, on: bool) -> None:
        """Have this machine's bridge drain, or receive again."""
        with self.connection.pipeline() as pipeline:
            pipeline.delete(_HELD)  # What a bridge said about an earlier wish.
            pipeline.set(_DRAIN, 1) if on else pipeline.delete(_DRAIN)
            pipeline.execute()
        self.wake()

    def tell_held(self, count: int) -> None:
        """A draining bridge says how many messages it still sees to."""
        self.connection.set(_HELD, count, ex=_HELD_SECONDS)

    def held(self) -> int | None:
        """What the draining bridge has said; None if it has not been heard of for a while."""
        said: Any = self.connection.get(_HELD)
        return int(said) if said is not None else None


def connect(url: str) -> Redis:
    """A client that fails fast: whoever uses it has a loop of its own and better things to do than wait."""
    return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=2, retry=Retry(NoBackoff(), 1))
