"""Upload tickets: what the upload fleet believes without asking the web fleet."""

from datetime import timedelta

import pytest
from conftest import ManualClock
from itsdangerous import URLSafeSerializer

from infra.errors import Problem
from tenants import tickets
from tenants.names import new_id

SECRET = "a secret that is long enough for a test"
TENANT, ALBUM = new_id(), new_id()


def minted(clock: ManualClock, secret: str = SECRET) -> str:
    return tickets.mint(
        secret, tenant=TENANT, album=ALBUM, max_bytes=10, now=clock.now(), lifetime=timedelta(hours=1), member="m"
    )


def test_a_ticket_says_what_was_minted(clock: ManualClock) -> None:
    ticket = tickets.check(SECRET, minted(clock), now=clock.now())
    assert (ticket.tenant, ticket.album, ticket.max_bytes, ticket.member) == (TENANT, ALBUM, 10, "m")
    assert ticket.accepts("image/jpeg")
    assert ticket.accepts("video/mp4")
    assert not ticket.accepts("text/html")
    assert not ticket.accepts("")


def test_it_ends(clock: ManualClock) -> None:
    token = minted(clock)
    clock.sleep(3600)
    with pytest.raises(Problem, match="expired"):
        tickets.check(SECRET, token, now=clock.now())


def test_forgeries_are_refused(clock: ManualClock) -> None:
    good = minted(clock)
    other_salt = URLSafeSerializer(SECRET, salt="session").dumps({"tenant": TENANT})
    no_fields = URLSafeSerializer(SECRET, salt="upload-ticket-1").dumps({"types": [], "hello": 1})
    not_a_mapping = URLSafeSerializer(SECRET, salt="upload-ticket-1").dumps([1])
    for token in (
        "",
        "x",
        good[:-1],
        good + "x",
        minted(clock, "another secret"),
        other_salt,
        no_fields,
        not_a_mapping,
    ):
        with pytest.raises(Problem) as caught:
            tickets.check(SECRET, str(token), now=clock.now())
        assert caught.value.status == 401
