"""The operator's way in to the pages that tell of all tenants, on a host of the deployment's own.

Members belong to one tenant each (ADR 0004), so the operator is none of them. Whoever may run commands where the
deployment's secret is may have a code (`flask --app wsgi operator`), and signs in with it, once, within minutes.
"""

import getpass
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext
from itsdangerous import BadSignature, URLSafeSerializer

from tenants.scope import ports, secret, settings

CODE_LIFETIME = timedelta(minutes=10)
PATH = "/operator/"


@dataclass(frozen=True)
class Code:
    """`who` is what the log calls whoever uses it; `nonce` is of use once (`operator_log.OperatorEntry.once`)."""

    who: str
    nonce: str


def code(secret: str, now: datetime, who: str = "operator") -> str:
    """Opens the operator's pages until `CODE_LIFETIME` from now."""
    until = int((now + CODE_LIFETIME).timestamp())
    return str(_signer(secret).dumps([until, who[:80], secrets.token_hex(8)]))


def read(secret: str, given: str, now: datetime) -> Code | None:
    """None for one that is over, or that nobody has signed."""
    try:
        until, who, nonce = _signer(secret).loads(given.strip())
    except (BadSignature, TypeError, ValueError):
        return None
    return Code(str(who), str(nonce)) if isinstance(until, int) and now.timestamp() < until else None


def _signer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="operator")


@click.command("operator")
@click.option("--name", default=None, help="Whose name the log shows; the system's user by default.")
@with_appcontext
def command(name: str | None) -> None:
    """A code for the operator's pages, good once and for ten minutes."""
    address = settings().site_url(settings().operator_host)
    click.echo(f"{address}{PATH}\n{code(secret(), ports().clock.now(), name or getpass.getuser())}")
