"""The absence of the database or of a service behind a port, waited out by the loops of this fleet.

They answer to nobody who could be asked to retry.
"""

from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from infra.errors import Unavailable
from infra.sql import problem_of
from tenants.db import db
from tenants.scope import ports

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0


def waited_out(turn: Callable[[], object]) -> None:
    """Run one turn of a loop; while what it needs is away, say so and pause instead. Raises any other error."""
    try:
        turn()
    except Unavailable as error:
        _pause("a service is away", error)
    except SQLAlchemyError as error:
        problem = problem_of(error)
        if problem is None or problem.code != "unavailable":
            raise
        _pause("the database is away", error)


def _pause(what: str, error: Exception) -> None:
    log.warning(what, error=str(error), again_in=PAUSE_SECONDS)
    db.session.rollback()
    ports().clock.sleep(PAUSE_SECONDS)
