"""A trace in one sentence: what the asset waits for, and what to do about it."""

from collections.abc import Callable
from datetime import datetime

from infra.ports import Whereabouts
from tenants.tracing import AssetFacts, QueueFacts, Stored, Trace, UploadFacts


def verdict(trace: Trace) -> str:
    if trace.asset is not None:
        return _asset(trace, trace.asset)
    assert trace.upload is not None
    return _upload(trace.upload)


def _upload(upload: UploadFacts) -> str:
    """There is no asset yet."""
    size = "?" if upload.length is None else f"{upload.length:,}"
    if upload.state == "gone":
        return "Nothing will come of this upload: it was cancelled, refused or left alone too long. Upload it again."
    if upload.state == "finished":
        return "The upload was finished, and its asset has been removed since, with everything that was stored for it."
    if upload.state == "received":
        return (
            "All bytes are here; the asset is about to be made. Should a server have died just then, `sweep`, which "
            "`relay` runs every five minutes, does it."
        )
    if upload.sending:
        return f"It is being uploaded: {upload.offset:,} of {size} bytes have arrived. Wait."
    return (
        f"It waits for the uploader: {upload.offset:,} of {size} bytes have arrived and nobody is sending. Have the "
        f"upload page opened again and the file chosen; it goes on where it stopped until {_clock(upload.expires_at)}."
    )


def _asset(trace: Trace, asset: AssetFacts) -> str:
    if asset.deleted_at is not None:
        return f"It was deleted at {_clock(asset.deleted_at)}. The trash of the dashboard brings it back."
    ended: dict[str, Callable[[], str]] = {
        "ready": lambda: _ready(trace, asset),
        "rejected": lambda: f"It was refused, and will be whenever it is tried: {asset.reason}",
        "failed": lambda: (
            f"It was given up: {asset.reason} `flask --app wsgi redrive` tries again; the log of `worker` says why."
        ),
    }
    if asset.state in ended:
        return ended[asset.state]()
    shown = " It is on pages meanwhile." if asset.generation else ""
    lost = "" if trace.stored is None or trace.stored.original else " THE ORIGINAL IS MISSING: no attempt can succeed."
    return _waits_for(trace, asset) + shown + lost


def _ready(trace: Trace, asset: AssetFacts) -> str:
    stored: Stored | None = trace.stored
    if stored is None or not stored.missing:
        return "Nothing: it is ready."
    again = " It was tried before; the log of `worker` says what went wrong." if asset.rebuild_asked_at else ""
    return (
        f"It is ready, but {len(stored.missing)} of its renditions are missing. The next visitor who asks for one, or "
        f"`flask --app wsgi reconcile`, has them made again.{again}"
    )


def _waits_for(trace: Trace, asset: AssetFacts) -> str:
    if trace.outbox_since is not None:
        return (
            f"It waits for `relay` since {_clock(trace.outbox_since)}, which sends its message to the queue. See "
            "whether one runs (`flask --app wsgi ready relay`) and whether the queue is reachable."
        )
    if asset.leased_until is not None and asset.leased_until > trace.now:
        stage = f" ({asset.stage}, {asset.progress} %)" if asset.stage else ""
        return (
            f"A worker has it{stage} and holds it until {_clock(asset.leased_until)} at least. Wait; if the worker "
            "dies, another takes it up after that."
        )
    return _in_queue(trace.queue, asset) if trace.queue is not None else ""


def _in_queue(queue: QueueFacts, asset: AssetFacts) -> str:
    if queue.messages is None:
        return _unknowable(queue)
    if not queue.messages:
        touched = asset.leased_until or asset.created_at
        return (
            f"Nobody works on it and no message asks for it; it was last touched at {_clock(touched)}. "
            "`flask --app wsgi reconcile` sends a message again after an hour of this, once the queue is empty."
        )
    message = min(queue.messages, key=lambda one: one.state == "dead")
    return _message(message, queue)


def _message(message: Whereabouts, queue: QueueFacts) -> str:
    told = {
        "waiting": (
            f"Its message waits in the queue ({message.receives} receives so far, {queue.depth.waiting} messages "
            "wait). See whether `bridge` and `worker` run (`flask --app wsgi ready bridge`), and how busy they are."
        ),
        "delayed": f"Its message is delayed until {_clock(message.until)}. Wait.",
        "in flight": (
            f"A bridge has its message (receive {message.receives}), and no worker has begun or one has just failed. "
            f"It is visible again at {_clock(message.until)} at the latest. Wait; the logs of `bridge` and `worker` "
            "say more."
        ),
        "dead": (
            f"Its message is a dead letter after {message.receives} receives: every attempt failed or its worker died. "
            "Read the log of `worker`, then `flask --app wsgi redrive` tries again."
        ),
    }
    return told[message.state]


def _unknowable(queue: QueueFacts) -> str:
    """SQS tells how many messages there are and nothing about one."""
    if queue.dead:
        return (
            "Its message is a dead letter: every attempt failed or its worker died. Read the log of `worker`, then "
            "`flask --app wsgi redrive` tries again."
        )
    if queue.depth.waiting + queue.depth.in_flight == 0:
        return (
            "Nobody works on it, and SQS holds about no message at all: `flask --app wsgi reconcile` sends one again "
            "after an hour of this."
        )
    return (
        f"Its message is on SQS, waiting or in a bridge's hands: SQS does not tell which. About {queue.depth.waiting} "
        f"wait and {queue.depth.in_flight} are in flight. See whether `bridge` and `worker` run and how busy they are."
    )


def _clock(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
