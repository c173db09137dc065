"""One message to PostgreSQL and its answers, by libpq as psycopg wraps it (`psycopg.pq`).

For questions that are asked with every page: a cursor takes the process as long as all else of a short message does.
Waiting is left to `poll`, outside of Python's lock, as libpq asks for it (PostgreSQL, 34.4 "Asynchronous Command
Processing").
"""

from collections.abc import Callable
from select import POLLIN, POLLOUT, poll
from typing import Any, cast

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import PoolProxiedConnection

Answer = list[tuple[Any, ...]]


def driver(connection: PoolProxiedConnection) -> psycopg.Connection[Any]:
    """What SQLAlchemy's pool handed over, as the driver has it."""
    return cast("psycopg.Connection[Any]", connection.driver_connection)


def answers(connection: psycopg.Connection[Any], send: Callable[[PGconn], None]) -> list[Answer]:
    """The rows of each statement, loaded as a cursor would load them. `send` gives the connection its message, in its
    encoding, by `send_query` or `send_query_params`.

    Raises `psycopg.Error` as a cursor does.
    """
    send(connection.pgconn)
    results = _received(connection.pgconn)
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise _error(result)
    loads, found = Transformer(connection), []
    for result in results:
        loads.set_pgresult(result)
        found.append(loads.load_rows(0, result.ntuples, tuple))
    return found


def _received(connection: PGconn) -> list[PGresult]:
    results: list[PGresult] = []
    socket = poll()
    socket.register(connection.socket, POLLIN | POLLOUT)
    while connection.flush():
        socket.poll()
        connection.consume_input()
    socket.modify(connection.socket, POLLIN)
    while True:
        while connection.is_busy():
            socket.poll()
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            return results
        results.append(result)


def _error(result: PGresult) -> psycopg.Error:
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError if state else psycopg.OperationalError
    return kind(result.get_error_message().strip())
