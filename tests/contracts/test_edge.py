"""The Edge contract (infra/ports/delivery.py). Behind CloudFront is our fake of it (tests/cloudfront_fake.py)."""

from datetime import timedelta

import pytest
from cloudfront_fake import BASE_TENANT, DISTRIBUTION, GROUP, CloudFrontFake
from conftest import ManualClock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.aws.cloudfront import CloudFrontEdge
from infra.aws.cloudfront_signing import Signer
from infra.aws.cloudfront_tenants import Hosting
from infra.local.edge import AppEdge
from infra.ports import Edge

PREFIX = "t/01/r/a1/3/"
OLD, NEW = "the older secret of the server", "the newer secret of the server"


def pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make(stand: str, clock: ManualClock, *secrets: str, fake: CloudFrontFake | None = None) -> Edge:
    if stand == "app":
        return AppEdge(secrets, clock)
    hosting = Hosting(DISTRIBUTION, GROUP, "sites.example", BASE_TENANT)
    fake = fake or CloudFrontFake()
    return CloudFrontEdge(fake, clock, secrets, [Signer("K2", pem())], hosting, shared_seconds=60)  # type: ignore[arg-type]


@pytest.fixture(params=["app", "cloudfront: our fake"])
def stand(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def edge(stand: str, clock: ManualClock) -> Edge:
    return make(stand, clock, OLD)


def test_a_token_opens_its_prefix_until_its_time(edge: Edge, clock: ManualClock) -> None:
    until = clock.now() + timedelta(hours=1)
    token = edge.grant(PREFIX, until=until)
    assert token == edge.grant(PREFIX, until=until)
    assert "/" not in token
    assert edge.allows(PREFIX, token)
    assert not edge.allows("t/01/r/a1/4/", token)
    assert not edge.allows("t/02/r/a1/3/", token)
    clock.sleep(3600)
    assert not edge.allows(PREFIX, token)


@pytest.mark.parametrize("cut", [0, 1, len(PREFIX), 63, 64, 200, 239])
def test_what_many_prefixes_have_in_common_is_said_once(edge: Edge, clock: ManualClock, cut: int) -> None:
    """Around the blocks that a hash takes in one go."""
    prefix, until = PREFIX * 20, clock.now() + timedelta(hours=1)
    token = edge.granting(until, prefix[:cut])
    assert token(prefix[cut:]) == edge.grant(prefix, until=until)
    assert edge.allows(prefix, token(prefix[cut:])), "the second is as good as the first"
    assert not edge.allows(prefix, token(prefix[cut + 1 :]))


@pytest.mark.parametrize("forged", ["", "-", "zz-0", "7fffffff", "-" + "0" * 32, "²-" + "0" * 32, "7fffffff-" + "é"])
def test_forged_tokens_open_nothing(edge: Edge, clock: ManualClock, forged: str) -> None:
    assert not edge.allows(PREFIX, forged)
    key_id = edge.grant(PREFIX, until=clock.now()).partition("-")[0]
    assert not edge.allows(PREFIX, f"{key_id}-{forged}")


def test_a_later_expiry_cannot_be_written_in(edge: Edge, clock: ManualClock) -> None:
    key_id, _, signature = edge.grant(PREFIX, until=clock.now() + timedelta(hours=1)).split("-")
    assert not edge.allows(PREFIX, f"{key_id}-7fffffff-{signature}")


def test_another_servers_token_is_refused(stand: str, edge: Edge, clock: ManualClock) -> None:
    token = make(stand, clock, NEW).grant(PREFIX, until=clock.now() + timedelta(hours=1))
    assert not edge.allows(PREFIX, token)
    assert not edge.allows(PREFIX, f"{edge.grant(PREFIX, until=clock.now())[:6]}{token[6:]}")


def test_a_new_key_signs_and_the_old_one_still_opens(stand: str, edge: Edge, clock: ManualClock) -> None:
    until = clock.now() + timedelta(hours=1)
    rotated, later = make(stand, clock, NEW, OLD), make(stand, clock, NEW)
    open_page = edge.grant(PREFIX, until=until)
    assert rotated.allows(PREFIX, open_page)
    assert later.allows(PREFIX, rotated.grant(PREFIX, until=until))
    assert not later.allows(PREFIX, open_page)


def test_a_host_is_served_withdrawn_and_served_again(stand: str, clock: ManualClock) -> None:
    fake = CloudFrontFake()
    fake.points_here.add("photos.example.com")
    for _ in range(2):
        for _ in range(20):
            if (edge := make(stand, clock, OLD, fake=fake)).serve("photos.example.com").ready:
                break
            fake.settle()
        else:
            pytest.fail("it never was ready")
        edge.invalidate(["photos.example.com", "unknown.example"], ["/m/o1/"], reference="r1")
        for _ in range(20):
            if make(stand, clock, OLD, fake=fake).withdraw("photos.example.com"):
                break
            fake.settle()
        else:
            pytest.fail("it never was gone")
        assert edge.withdraw("photos.example.com")
        assert fake.tenants == {}
