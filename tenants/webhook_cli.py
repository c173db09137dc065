"""`flask --app wsgi webhooks deliver`."""

import click
import structlog
from flask.cli import AppGroup

from tenants import webhook_delivery
from tenants.db import db
from tenants.heartbeat import Heartbeat
from tenants.scope import ports

log = structlog.get_logger(__name__)

group = AppGroup("webhooks", help="Messages to tenants' own servers.")
TIDY_ROUNDS = 3600


@group.command("deliver")
@click.option("--loop", is_flag=True, help="Again every second, until stopped.")
def deliver(loop: bool) -> None:
    """Send what is due. Several of these may run: each message is taken up by one."""
    rounds = 0
    heartbeat = Heartbeat("webhooks")
    while True:
        if loop:
            heartbeat.beat()
        try:
            tried = webhook_delivery.deliver_due()
            if rounds % TIDY_ROUNDS == 0:
                webhook_delivery.tidy()
        except Exception:
            if not loop:
                raise
            log.exception("webhooks will try again")
            db.session.rollback()
            tried = 0
        rounds += 1
        if not loop:
            click.echo(f"tried {tried}")
            return
        if not tried:
            ports().clock.sleep(1)
