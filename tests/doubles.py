"""Fixtures that start what stands in for AWS; `tests/conftest.py` makes them known."""

import uuid
from collections.abc import Iterator

import aws_double
import pytest
from aws_double import DoubleClock

__all__ = ["keys", "moto_clock", "unique"]


@pytest.fixture(scope="session")
def moto_clock() -> Iterator[DoubleClock]:
    """The clock of a moto server for the whole run; its `url` is the server's address."""
    with aws_double.running() as (url, _):
        yield DoubleClock(url)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for a double; processes that a test starts inherit them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "double")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "double")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def unique() -> str:
    """A name that no other test and no earlier run uses."""
    return f"vitrine-test-{uuid.uuid4().hex[:12]}"
