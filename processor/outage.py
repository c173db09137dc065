"""The database's absence, waited out by the loops of this fleet: they answer to nobody who could be asked to retry."""

from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from infra.sql import problem_of
from tenants.db import db
from tenants.scope import ports

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0


def waited_out(turn: Callable[[], object]) -> None:
    """Run one turn of a loop; while the database is away, say so and pause instead. Raises any other error."""
    try:
        turn()
    except SQLAlchemyError as error:
        problem = problem_of(error)
        if problem is None or problem.code != "unavailable":
            raise
        log.warning("the database is away", error=str(error), again_in=PAUSE_SECONDS)
        db.session.rollback()
        ports().clock.sleep(PAUSE_SECONDS)
