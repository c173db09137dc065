"""`flask --app wsgi trace ASSET|UPLOAD`: why isn't my video ready?"""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext

from tenants.names import is_id
from tenants.tracing import QueueFacts, Trace
from tenants.tracing import trace as look
from tenants.verdict import verdict


@click.command("trace")
@click.argument("subject", metavar="ASSET|UPLOAD")
@click.option("--json", "as_json", is_flag=True, help="All that is known, for programs.")
@with_appcontext
def trace(subject: str, as_json: bool) -> None:
    """Tell what happened to an asset or an upload, where it is, and what it waits for."""
    subject = subject.strip().lower()
    found = look(subject) if is_id(subject) else None
    if found is None:
        click.echo(
            f"error: there is no asset or upload {subject!r}. Finished uploads are forgotten after a day.", err=True
        )
        sys.exit(1)
    click.echo(json.dumps(document(found), indent=2) if as_json else page(found))


def document(found: Trace) -> dict[str, Any]:
    """JSON-able; times are ISO 8601 in UTC, `after` is seconds since the first."""
    moments = found.moments()
    return {
        **_plain(asdict(found)),
        "moments": [
            {"at": one.at.isoformat(), "after": round((one.at - moments[0].at).total_seconds(), 3), "what": one.what}
            for one in moments
        ],
        "verdict": verdict(found),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def page(found: Trace) -> str:
    """For a terminal."""
    moments = found.moments()
    lines = [_title(found), ""]
    lines += [f"  {one.at:%Y-%m-%d %H:%M:%S}  {_after(one.at, moments[0].at):>10}  {one.what}" for one in moments]
    lines += ["", *(f"  {name:<11} {what}" for name, what in _now(found)), "", verdict(found)]
    return "\n".join(lines)


def _title(found: Trace) -> str:
    if found.asset is not None:
        return f"asset {found.asset.id} of tenant {found.tenant_id}: {found.asset.filename}, {found.asset.size:,} bytes"
    assert found.upload is not None
    return f"upload {found.upload.id} of tenant {found.tenant_id}: {found.upload.filename}, no asset yet"


def _after(at: datetime, first: datetime) -> str:
    return f"+{(at - first).total_seconds():.1f} s"


def _now(found: Trace) -> list[tuple[str, str]]:
    """What is, right now."""
    lines: list[tuple[str, str]] = []
    if upload := found.upload:
        size = "?" if upload.length is None else f"{upload.length:,}"
        lines.append(("upload", f"{upload.state}, {upload.offset:,} of {size} bytes"))
    if asset := found.asset:
        stage = f" ({asset.stage}, {asset.progress} %)" if asset.stage else ""
        held = asset.leased_until is not None and asset.leased_until > found.now
        lines += [
            ("asset", f"{asset.kind}, {asset.state}{stage}" + (f": {asset.reason}" if asset.reason else "")),
            ("lease", f"held until {asset.leased_until:%H:%M:%S}, fence {asset.fence}" if held else "nobody's"),
            ("outbox", "a row waits" if found.outbox_since else "no row waits"),
        ]
    if found.queue is not None:
        lines.append(("queue", _queue(found.queue)))
    if stored := found.stored:
        shown = found.asset.generation if found.asset else 0
        missing = f", missing: {', '.join(stored.missing[:5])}" if stored.missing else ""
        lines += [
            ("original", "stored" if stored.original else "MISSING"),
            ("generation", f"{shown or 'none'} shown, rows of {stored.generations or 'none'}"),
            ("renditions", f"{stored.renditions} stored, {len(stored.missing)} missing{missing}"),
            ("media", f"{stored.media_attributes} attributes"),
        ]
    return lines


def _queue(queue: QueueFacts) -> str:
    total = f"{queue.depth.waiting} wait, {queue.depth.in_flight} in flight, {queue.depth.dead} dead in all"
    if queue.messages is None:
        return f"{'a dead letter' if queue.dead else 'SQS cannot be asked for one message'}; {total}"
    its = [f"{one.state} after {one.receives} receives" for one in queue.messages]
    return f"{', '.join(its) or 'no message of this asset'}; {total}"
