"""The operator's way in to the pages that tell of all tenants, on the deployment's own host.

Members belong to one tenant each (ADR 0004), so the operator is none of them. Whoever may run commands where the
deployment's secret is may have a code (`flask --app wsgi operator`), and signs in with it within minutes.
"""

from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext
from itsdangerous import BadSignature, URLSafeSerializer

from tenants.scope import ports, secret, settings

CODE_LIFETIME = timedelta(minutes=10)
PATH = "/operator/"


def code(secret: str, now: datetime) -> str:
    """Opens the operator's pages until `CODE_LIFETIME` from now."""
    return str(_signer(secret).dumps(int((now + CODE_LIFETIME).timestamp())))


def is_good(secret: str, given: str, now: datetime) -> bool:
    try:
        until = _signer(secret).loads(given.strip())
    except BadSignature:
        return False
    return isinstance(until, int) and now.timestamp() < until


def _signer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="operator")


@click.command("operator")
@with_appcontext
def command() -> None:
    """A code for the operator's pages, good for ten minutes."""
    click.echo(f"{settings().site_url(settings().base_domain)}{PATH}\n{code(secret(), ports().clock.now())}")
