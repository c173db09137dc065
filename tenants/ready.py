"""`flask --app wsgi ready FLEET`: `/healthz` and `/readyz` for whoever is on the machine, with reasons.

For the fleets without HTTP it is the only way to ask. Ends with status 1 when something is wrong.
"""

import json
import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from tenants import heartbeat
from tenants.readiness import FLEETS, Outcome, Readiness


@click.command("ready")
@click.argument("fleet", type=click.Choice(sorted(FLEETS)))
@click.option("--alive", is_flag=True, help="Only whether its loop on this machine still turns.")
@with_appcontext
def ready(fleet: str, alive: bool) -> None:
    """Whether a fleet can do its work on this machine: one JSON entry a check."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    found: dict[str, Outcome] = {}
    if fleet in heartbeat.LATE_SECONDS:
        found["alive"] = _alive(fleet)
    elif alive:
        raise click.UsageError(f"{fleet} is asked by HTTP: GET /healthz")
    if not alive:
        found |= Readiness(app, fleet).outcomes()
    good = all(outcome.word == "ok" for outcome in found.values())
    checks = {name: {key: value for key, value in vars(one).items() if value != ""} for name, one in found.items()}
    click.echo(json.dumps({"ready": good, "checks": checks}, indent=2))
    sys.exit(0 if good else 1)


def _alive(fleet: str) -> Outcome:
    age = heartbeat.age(fleet)
    if age is None:
        return Outcome("failed", 0.0, f"{fleet} has never run on this machine")
    if age > heartbeat.LATE_SECONDS[fleet]:
        return Outcome("failed", 0.0, f"{fleet} has shown no sign of life for {age:.0f} s")
    return Outcome("ok", 0.0)
