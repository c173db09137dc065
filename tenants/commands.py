"""What every command needs: a tenant by its slug, and a refusal as one line."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import click

from infra.errors import Problem
from tenants import registry
from tenants.db import db
from tenants.scope import Site, enter

P = ParamSpec("P")
R = TypeVar("R")


def fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def friendly(command: Callable[P, R]) -> Callable[P, R]:
    """Print a Problem as one line instead of a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Problem as problem:
            fail(problem.detail or problem.title)

    return run


@contextmanager
def site_of(slug: str) -> Iterator[Site]:
    """The Site of a slug given on the command line."""
    tenant = registry.by_slug(db.session(), slug)
    if tenant is None:
        fail(f"there is no tenant {slug!r}. `flask --app wsgi tenants list` shows them.")
    yield enter(tenant)
