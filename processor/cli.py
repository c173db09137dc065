"""`flask --app wsgi bridge`, `worker`, `drain`, `reconcile`, `heal` and `redrive`."""

import signal
import time
from datetime import timedelta

import click
from flask import Flask
from flask.cli import with_appcontext
from redis import RedisError
from structlog.contextvars import bind_contextvars

from processor import bridge as bridging
from processor import dispatch, losses
from processor import reconcile as reconciling
from processor.export.cli import export_command
from processor.outage import waited_out
from processor.spot import Watch
from tenants.cli import tenants as tenants_group
from tenants.heartbeat import Heartbeat
from tenants.scope import ports, settings

_DRAIN_POLL_SECONDS = 0.2


def register(app: Flask) -> None:
    for command in (bridge, worker, drain, reconcile, heal, redrive):
        app.cli.add_command(command)
    tenants_group.add_command(export_command)


@click.command("bridge")
@with_appcontext
def bridge() -> None:
    """Hand messages of the job queue to this machine's RQ workers."""
    bind_contextvars(fleet="bridge")
    running = bridging.build(dispatch.Dispatch(dispatch.connect(settings().redis_url)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, running.stop)
    running.run()


@click.command("worker")
@click.option("--count", type=click.IntRange(1, 256), help="Processes; VITRINE_WORKERS by default.")
@click.option("--grace", type=click.FloatRange(0), default=20.0, show_default=True, help="Seconds to finish a job.")
@with_appcontext
def worker(count: int | None, grace: float) -> None:
    """Run RQ workers for photos and videos, one process a core."""
    from processor import sandbox
    from processor.worker import MediaPool, preload

    sandbox.choose(settings().sandbox)  # One that was asked for by name and does not work is told now, not by a job.
    preload()
    MediaPool(
        dispatch.connect(settings().redis_url),
        count or settings().workers,
        grace=grace,
        watch=Watch(ports().notices, ports().clock),
    ).start()


@click.command("drain")
@click.option("--timeout", type=click.FloatRange(0), default=120.0, show_default=True, help="Seconds to wait for it.")
@click.option("--undo", is_flag=True, help="Receive again.")
@with_appcontext
def drain(timeout: float, undo: bool) -> None:
    """Have this machine's bridge receive nothing more, hand back what has not started, and wait for what runs.

    Ends with 0 when no work is left here, with 1 when there is after the timeout; in both cases the bridge goes on
    receiving nothing until --undo, or until Redis forgets.
    """
    try:
        dispatching = dispatch.Dispatch(dispatch.connect(settings().redis_url))
        dispatching.drain(not undo)
        if not undo:
            _wait_until_drained(dispatching, timeout)
    except RedisError as error:
        raise click.ClickException(f"Redis does not answer at {settings().redis_url}: {error}") from None


def _wait_until_drained(dispatching: dispatch.Dispatch, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        held, fleet = dispatching.held(), dispatching.fleet()
        if held == 0 and not fleet.busy and not fleet.queued:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(_DRAIN_POLL_SECONDS)
    bridge = "no bridge answers" if held is None else f"the bridge holds {held} messages"
    raise click.ClickException(f"not drained in {timeout:g} s: {bridge}, {fleet.busy} workers are busy")


@click.command("reconcile")
@click.option("--loop", is_flag=True, help="Again and again, until stopped.")
@click.option("--every", type=click.IntRange(1), default=600, show_default=True, help="Seconds between, with --loop.")
@with_appcontext
def reconcile(loop: bool, every: int) -> None:
    """Requeue what was forgotten, rebuild what is lost, fail what is dead, purge what was deleted, tidy up."""
    if not loop:
        click.echo(reconciling.run())
        return
    bind_contextvars(fleet="reconcile")
    heartbeat = Heartbeat("reconcile")
    while True:
        heartbeat.beat()
        waited_out(lambda: click.echo(reconciling.run()))
        heartbeat.beat()
        ports().clock.sleep(every)


@click.command("heal")
@click.option("--loop", is_flag=True, help="Again and again, until stopped.")
@with_appcontext
def heal(loop: bool) -> None:
    """Rebuild what the store reports as lost, without waiting for the next `reconcile`, which does so too."""
    if not loop:
        click.echo(f"rebuilding: {losses.hear()}")
        return
    bind_contextvars(fleet="heal")
    heartbeat = Heartbeat("heal")
    while True:
        heartbeat.beat()
        waited_out(lambda: losses.hear(timedelta(seconds=20)))


@click.command("redrive")
@with_appcontext
def redrive() -> None:
    """Try every dead letter again."""
    click.echo(f"tried again: {reconciling.redrive()}")
