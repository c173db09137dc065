"""`flask --app wsgi bridge`, `worker`, `reconcile`, `heal` and `redrive`."""

import signal
from datetime import timedelta

import click
from flask import Flask
from flask.cli import with_appcontext

from processor import bridge as bridging
from processor import dispatch, losses
from processor import reconcile as reconciling
from processor.outage import waited_out
from tenants.heartbeat import Heartbeat
from tenants.scope import ports, settings


def register(app: Flask) -> None:
    for command in (bridge, worker, reconcile, heal, redrive):
        app.cli.add_command(command)


@click.command("bridge")
@with_appcontext
def bridge() -> None:
    """Hand messages of the job queue to this machine's RQ workers."""
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
    MediaPool(dispatch.connect(settings().redis_url), count or settings().workers, grace=grace).start()


@click.command("reconcile")
@click.option("--loop", is_flag=True, help="Again and again, until stopped.")
@click.option("--every", type=click.IntRange(1), default=600, show_default=True, help="Seconds between, with --loop.")
@with_appcontext
def reconcile(loop: bool, every: int) -> None:
    """Requeue what was forgotten, rebuild what is lost, fail what is dead, purge what was deleted, tidy up."""
    if not loop:
        click.echo(reconciling.run())
        return
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
    heartbeat = Heartbeat("heal")
    while True:
        heartbeat.beat()
        waited_out(lambda: losses.hear(timedelta(seconds=20)))


@click.command("redrive")
@with_appcontext
def redrive() -> None:
    """Try every dead letter again."""
    click.echo(f"tried again: {reconciling.redrive()}")
