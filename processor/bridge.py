"""From the job queue to RQ and back: the only place where a message's life ends.

The bridge holds a message for as long as the work that it asks for: it keeps it invisible, and deletes it when the
database says that the asset is at its end. Whatever else happens, the message comes back by itself. What to do with a
message is decided by `verdict`, from the database and from RQ; RQ is asked first, so that a job that has just ended
cannot look as if it had left the asset behind.

When its machine is about to end, or an operator says so, the bridge drains: it receives nothing, hands back what no
worker has started, and goes on seeing to what runs.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from redis import RedisError

from infra import faults
from infra.errors import ReceiptExpired, Unavailable
from infra.ports import JobQueue, Message
from processor.dispatch import Dispatch, Fleet
from processor.gauges import Gauges
from processor.giving_up import give_up
from processor.outage import waited_out
from processor.pace import LONG_LYING_SECONDS, Pace
from processor.spot import Watch
from processor.verdict import AT_WORK, JobView, Verdict, look_up, subject_of, verdict
from tenants.heartbeat import Heartbeat
from tenants.scope import ports, settings

log = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0
POLL_SECONDS = 0.5
REDIS_PAUSE_MAX = 10.0
_BATCH = 10  # As many as SQS hands out at once.


@dataclass
class Held:
    """A received message. Times are of the monotonic clock, in seconds."""

    message: Message
    beat_at: float
    job_id: str | None = None
    handed_at: float = 0.0
    adrift_since: float | None = None

    @property
    def subject(self) -> tuple[str, str]:
        found = subject_of(self.message.body)
        assert found is not None  # Others are not held.
        return found

    def adrift(self, now: float, is_so: bool) -> float:
        """Seconds for which this has been so without a break."""
        self.adrift_since = (self.adrift_since or now) if is_so else None
        return now - self.adrift_since if self.adrift_since else 0.0


@dataclass
class Bridge:
    """Run `step` until told to stop, then `close`."""

    queue: JobQueue
    dispatch: Dispatch
    visibility: float
    max_receives: int
    gauges: Gauges | None = None
    watch: Watch | None = None
    held: list[Held] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    stopping: bool = False
    draining: bool = False
    _redis_pause: float = 0.0
    _redis_again_at: float = 0.0

    def run(self) -> None:
        """Until `stop`."""
        heartbeat = Heartbeat("bridge")
        if self.watch:
            self.watch.follow()
        while not self.stopping:
            heartbeat.beat()
            waited_out(self.step)
        self.close()

    def stop(self, *_signal: object) -> None:
        self.stopping = True

    def step(self) -> None:
        """One turn: look at what is held, receive what there is room for, wait for something to happen."""
        fleet, statuses = self._ask_redis()
        self._beat()
        self._heed(fleet)
        room = min(_BATCH, self._room(fleet, statuses)) if fleet and not self.draining else 0
        if room > 0:
            self._receive(room)
        self._look(fleet, statuses)
        if self.gauges:
            self.gauges.tell(self.queue.depth, fleet.workers if fleet else 0)
        if (self.held or room <= 0) and not self.stopping:
            self._wait()
        if self.draining:
            self._report()

    def _heed(self, fleet: Fleet | None) -> None:
        """Drain while the machine's end is announced or an operator wants it; while Redis is away, as before."""
        wanted = fleet.draining if fleet else self.draining
        draining = wanted or (self.watch is not None and self.watch.ends_at is not None)
        if draining != self.draining:
            log.warning("draining" if draining else "receiving again", held=len(self.held))
        self.draining = draining

    def _report(self) -> None:
        try:
            self.dispatch.tell_held(len(self.held))
        except RedisError as error:
            self._redis_is_away(error)

    # -- what Redis says --

    def _ask_redis(self) -> tuple[Fleet | None, dict[str, str | None]]:
        """The fleet and the status of each held job; no fleet while Redis is away."""
        if time.monotonic() < self._redis_again_at:
            return None, {}
        try:
            fleet, statuses = self.dispatch.look([held.job_id for held in self.held if held.job_id])
        except RedisError as error:
            self._redis_is_away(error)
            return None, {}
        self._redis_pause = 0.0
        return fleet, statuses

    def _redis_is_away(self, error: RedisError) -> None:
        self._redis_pause = min(max(1.0, self._redis_pause * 2), REDIS_PAUSE_MAX)
        self._redis_again_at = time.monotonic() + self._redis_pause
        log.warning("Redis is away", error=str(error), again_in=self._redis_pause)

    def _room(self, fleet: Fleet, statuses: dict[str, str | None]) -> int:
        """Messages that workers can start now or soon. What is held counts even where Redis has forgotten it."""
        ready = self.pace.ready(fleet.workers)
        over = sum(status is not None and status not in AT_WORK for status in statuses.values())
        return min(fleet.free + ready, fleet.workers + ready - (len(self.held) - over))

    def _wait(self) -> None:
        try:
            if time.monotonic() >= self._redis_again_at:
                self.dispatch.wait(POLL_SECONDS)
                return
        except RedisError as error:
            self._redis_is_away(error)
        time.sleep(POLL_SECONDS)

    # -- what is held --

    def _receive(self, room: int) -> None:
        wait = timedelta() if self.held else timedelta(seconds=IDLE_SECONDS)
        for message in self.queue.receive(room, visibility=timedelta(seconds=self.visibility), wait=wait):
            faults.point("receive")
            if subject_of(message.body):
                self.held.append(Held(message, beat_at=time.monotonic() + self.visibility / 3))
                if self.gauges:
                    self.gauges.received(message)
            else:
                log.error("not a job of ours, left to become a dead letter", message=message.id, body=message.body)
                self._give_back(message)

    def _look(self, fleet: Fleet | None, statuses: dict[str, str | None]) -> None:
        """Decide on every held message. Without Redis, only the end of its work can be known."""
        assets = look_up([held.subject for held in self.held], ports().clock.now())
        now = time.monotonic()
        done: list[Held] = []
        for held in list(self.held):
            asset = assets.get(held.subject)
            queued = bool(fleet and held.job_id in fleet.queued)
            job = JobView(statuses.get(held.job_id), queued) if held.job_id else None
            adrift = job is not None and job.at_work and not job.queued and not (asset and asset.leased)
            lost = held.adrift(now, adrift) >= self.visibility
            decision = verdict(asset, job, lost)
            known = fleet is not None and (held.job_id is None or held.job_id in statuses)
            if decision is Verdict.DELETE:
                done.append(held)
            elif self.draining and held.job_id is None and held.message.receives < self.max_receives:
                self._let_go(held)
            elif known:
                self._act(held, decision)
            if queued and decision is Verdict.WAIT and (self.draining or now - held.handed_at > LONG_LYING_SECONDS):
                self._return(held)
        self._end(done)

    def _end(self, done: Sequence[Held]) -> None:
        """Delete messages whose work is over, after what has just come was handed to workers that wait for it."""
        if done:
            faults.point("before-delete")
            self.queue.delete(*(held.message.receipt for held in done))
        for held in done:
            self.held.remove(held)
            if held.job_id:
                self.pace.ended(time.monotonic() - held.handed_at)

    def _act(self, held: Held, decision: Verdict) -> None:
        if decision is Verdict.ENQUEUE:
            self._enqueue(held)
        elif decision is Verdict.GIVE_BACK:
            log.warning("job lost or failed, giving the message back", message=held.message.id, job=held.job_id)
            if held.message.receives >= self.max_receives:
                give_up(*held.subject)
            if self.gauges:
                self.gauges.failed(held.message)
            self._give_back(held.message, pause=0 if self.draining else None)
            self._forget(held)
            self.held.remove(held)

    def _enqueue(self, held: Held) -> None:
        job_id = f"{held.message.id}-{held.message.receives}"
        try:
            self.dispatch.put(job_id, held.message)
        except RedisError as error:
            self._redis_is_away(error)
            return
        held.job_id, held.handed_at = job_id, time.monotonic()
        faults.point("enqueue")

    def _return(self, held: Held) -> None:
        """Give a message to another host whose job no worker here has come to, unless that were its last receive."""
        try:
            if held.message.receives < self.max_receives and self.dispatch.take_back(str(held.job_id)):
                self.pace.slow()
                self._let_go(held)
        except RedisError as error:
            self._redis_is_away(error)

    def _let_go(self, held: Held) -> None:
        self._give_back(held.message, pause=0)
        self.held.remove(held)

    def _forget(self, held: Held) -> None:
        """Tidy up in Redis, where it does not matter if it fails."""
        try:
            if held.job_id:
                self.dispatch.forget(held.job_id)
        except RedisError as error:
            self._redis_is_away(error)

    def _give_back(self, message: Message, pause: float | None = None) -> None:
        """Visible again after a pause, which doubles with each receive unless it is given."""
        if pause is None:
            pause = min(2.0 ** (message.receives - 1), self.visibility)
        try:
            self.queue.extend(message.receipt, timedelta(seconds=pause))
        except ReceiptExpired:
            log.info("the message was received by someone else meanwhile", message=message.id)

    def _beat(self) -> None:
        """Keep invisible what is held, every third of the visibility timeout."""
        now = time.monotonic()
        for held in [held for held in self.held if held.beat_at <= now]:
            try:
                self.queue.extend(held.message.receipt, timedelta(seconds=self.visibility))
                held.beat_at = now + self.visibility / 3
            except ReceiptExpired:
                log.warning("a message was received by someone else", message=held.message.id)
                self.held.remove(held)

    def close(self) -> None:
        """Hand back what no worker has started. What runs, runs on; its message comes back by itself."""
        for held in self.held:
            try:
                if held.job_id is None or self.dispatch.take_back(held.job_id):
                    self._give_back(held.message, pause=0)
            except (RedisError, Unavailable) as error:
                log.warning("leaving a message to its visibility timeout", message=held.message.id, error=str(error))
        self.held.clear()


def build(dispatch: Dispatch) -> Bridge:
    gauges = Gauges(ports().metrics, ports().clock)
    watch = Watch(ports().notices, ports().clock)
    return Bridge(ports().queue, dispatch, settings().visibility, settings().max_receives, gauges, watch)
