"""The job queue, its dead letters, and the fleets that work on it."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from infra.errors import Problem
from infra.sql import reading
from tenants import dead_letters, heartbeat
from tenants.db import db
from tenants.dead_letters import Letter
from tenants.scope import ports
from webapp.operator.mount import bp, done, note, now, reason

SHOWN = 100


@bp.get("/queue")
def queue() -> ResponseReturnValue:
    """Fleets are told by their signs of life, which each leaves on its own machine."""
    with reading():
        fleets = [(name, heartbeat.age(name), late) for name, late in heartbeat.LATE_SECONDS.items()]
        return render_template(
            "operator/queue.html",
            depth=ports().queue.depth(),
            letters=dead_letters.look(SHOWN),
            fleets=fleets,
            shown=SHOWN,
            now=now(),
        )


@bp.post("/queue/redrive")
def redrive() -> ResponseReturnValue:
    """The letters that `id` names, or all that are shown."""
    chosen = _chosen()
    again = sum(_redrive(letter) for letter in chosen)
    message = ngettext("%(num)d letter is tried again.", "%(num)d letters are tried again.", again)
    return done(message, url_for("operator.queue"))


def _redrive(letter: Letter) -> bool:
    """Written down first: the queue knows no transactions, and what is done without an entry would be worse."""
    note("letter.redrive", tenant=letter.tenant.id if letter.tenant else None, subject=letter.id, body=letter.body)
    db.session.commit()
    return dead_letters.redrive(letter.id, letter.body)


@bp.post("/queue/discard")
def discard() -> ResponseReturnValue:
    """For good: the asset stays as it is, FAILED, and nobody tries it again."""
    why, chosen = reason(), _chosen()
    if not request.form.getlist("id"):
        raise Problem("invalid", "Choose the letters to discard.")
    gone = 0
    for letter in chosen:
        tenant = letter.tenant.id if letter.tenant else None
        note("letter.discard", tenant=tenant, subject=letter.id, body=letter.body, why=why)
        db.session.commit()
        gone += ports().queue.discard(letter.id)
    return done(ngettext("%(num)d letter is gone.", "%(num)d letters are gone.", gone), url_for("operator.queue"))


def _chosen() -> list[Letter]:
    """Looked up again: what happened to a letter since the page was read is none of this request's doing."""
    wanted = set(request.form.getlist("id"))
    return [letter for letter in dead_letters.look(SHOWN) if not wanted or letter.id in wanted]
