"""A claim's way from the first record to the last, with a real name server, the app itself at the other end of the
probe, and a clock that moves when told."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

import name_server
import pytest
from conftest import ManualClock, World
from flask import Flask
from flask.testing import FlaskCliRunner
from name_server import NameServer
from sqlalchemy import select, update
from visits import PAGE
from werkzeug.serving import make_server

import wsgi
from infra.errors import Problem, Unavailable
from infra.local import dns as local_dns
from infra.local.dns import DnsResolver
from infra.local.edge import AppEdge
from infra.ports import Serving
from infra.settings import Settings
from tenants import claims, domain_steps, domains
from tenants.claims import DomainClaim, DomainState
from tenants.db import db
from tenants.domains import Domain
from tenants.scope import open_site

pytestmark = pytest.mark.every_database

HOST = "photos.example.com"
TITLES = {"alpha": "<title>Alpha", "beta": "<title>Beta"}


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server.running() as server:
        server.zone("example.com")
        yield server


@pytest.fixture
def served(settings: Settings, world: World, names: NameServer, clock: ManualClock) -> Iterator[Flask]:
    """The web fleet's app on a port of 127.0.0.1, which is what domains are to point to."""
    server = make_server("127.0.0.1", 0, lambda *request: app.wsgi_app(*request), threaded=True)
    own = {
        "web_port": server.server_port,
        "dns_servers": names.address,
        "domain_addresses": (ip_address("127.0.0.1"),),
        "domain_target": "sites.host.example",
    }
    app = wsgi.make_web(settings.model_copy(update=own))
    object.__setattr__(app.extensions["vitrine.ports"], "clock", clock)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with app.app_context():
        engine = db.engine
        yield app
        db.session.remove()
    server.shutdown()
    thread.join()
    server.server_close()
    engine.dispose()


def claimed(tenant_id: str, names: NameServer | None = None, host: str = HOST) -> str:
    """Claim it, and make the records if there is a name server; the token."""
    with open_site(tenant_id) as site:
        claim = claims.claim(site.session, site.tenant, host, "localhost", now=site.now())
        token = claim.token
        site.session.commit()
    if names:
        names.put(f"_challenge.{host}", "TXT", f"site-proof={token}")
        names.put(host, "A", "127.0.0.1")
    return token


def state(tenant_id: str) -> tuple[DomainState, str] | None:
    with open_site(tenant_id) as site:
        claim = site.session.get(DomainClaim, (tenant_id, HOST))
        return (claim.state, claim.reason) if claim else None


def live(tenant_id: str, names: NameServer) -> str:
    token = claimed(tenant_id, names)
    for wanted in (DomainState.VERIFIED, DomainState.LIVE):
        assert domain_steps.advance(tenant_id, HOST) is wanted
    return token


def title(app: Flask, host: str = HOST) -> str:
    answer = app.test_client().get("/", headers={**PAGE, "Host": host})
    return next((slug for slug, text in TITLES.items() if text in answer.text), "nobody")


def test_from_the_claim_to_live_step_by_step(served: Flask, world: World, names: NameServer) -> None:
    token = claimed(world.alpha)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CLAIMED
    assert state(world.alpha) == (DomainState.CLAIMED, "proof-missing")
    assert title(served) == "nobody"
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={token}")
    assert domain_steps.advance(world.alpha, HOST) is DomainState.VERIFIED
    assert title(served) == "alpha"
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CERTIFICATE
    assert state(world.alpha) == (DomainState.CERTIFICATE, "reach-silent")
    names.put(HOST, "A", "127.0.0.1")
    assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
    assert state(world.alpha) == (DomainState.LIVE, "")
    assert title(served, "alpha.localhost") == "alpha"


def test_two_tenants_claim_one_host_and_the_proof_decides(served: Flask, world: World, names: NameServer) -> None:
    claimed(world.alpha)
    live(world.beta, names)
    assert title(served) == "beta"
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CLAIMED
    assert title(served) == "beta"


def test_a_host_changes_hands_only_when_the_old_proof_is_gone(served: Flask, world: World, names: NameServer) -> None:
    alphas = live(world.alpha, names)
    betas = claimed(world.beta)
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={alphas}", f"site-proof={betas}")
    assert domain_steps.advance(world.beta, HOST) is DomainState.CLAIMED
    assert state(world.beta) == (DomainState.CLAIMED, "held")
    assert title(served) == "alpha"
    names.silent.add(HOST)
    local_dns.SECONDS, before = 0.4, local_dns.SECONDS
    try:
        assert domain_steps.advance(world.beta, HOST) is DomainState.CLAIMED
    finally:
        local_dns.SECONDS = before
    names.silent.clear()
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={betas}")
    assert domain_steps.advance(world.beta, HOST) is DomainState.VERIFIED
    assert title(served) == "beta"
    assert state(world.alpha) == (DomainState.FAILED, "taken-over")
    assert domain_steps.advance(world.alpha, HOST) is DomainState.FAILED
    assert title(served) == "beta"


def test_removed_and_claimed_again_needs_fresh_proof(served: Flask, world: World, names: NameServer) -> None:
    old = live(world.alpha, names)
    with open_site(world.alpha) as site:
        claim = site.session.get_one(DomainClaim, (world.alpha, HOST))
        claims.choose_primary(site.tenant, claim, redirect=True)
        claims.remove(site.session, site.tenant, claim, site.now())
        site.session.commit()
        assert (site.tenant.primary_host, site.tenant.redirect_to_primary) == (None, False)
    assert title(served) == "nobody"
    new = claimed(world.alpha)  # The old record is still there, and proves nothing.
    assert new != old
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CLAIMED
    assert title(served) == "nobody"
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={new}")
    assert domain_steps.advance(world.alpha, HOST) is DomainState.VERIFIED


def test_a_removed_claim_goes_once_the_edge_has_let_go(served: Flask, world: World, names: NameServer) -> None:
    live(world.alpha, names)
    with open_site(world.alpha) as site:
        claims.remove(site.session, site.tenant, site.session.get_one(DomainClaim, (world.alpha, HOST)), site.now())
        site.session.commit()
    assert state(world.alpha) == (DomainState.REMOVED, "")
    assert domain_steps.advance(world.alpha, HOST) is None
    assert state(world.alpha) is None


def test_a_proof_that_disappears_has_days_to_come_back(
    served: Flask, world: World, names: NameServer, clock: ManualClock
) -> None:
    token = live(world.alpha, names)
    names.put(f"_challenge.{HOST}", "TXT")
    for days in (0, 2):
        clock.sleep(days * 86400)
        assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
        assert state(world.alpha) == (DomainState.LIVE, "proof-missing")
        assert title(served) == "alpha"
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={token}")
    clock.sleep(3 * 86400)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
    assert state(world.alpha) == (DomainState.LIVE, "")
    names.put(f"_challenge.{HOST}", "TXT")
    domain_steps.advance(world.alpha, HOST)
    clock.sleep(3 * 86400 + 1)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.FAILED
    assert state(world.alpha) == (DomainState.FAILED, "proof-lost")
    assert title(served) == "nobody"
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={token}")
    with open_site(world.alpha) as site:
        claims.retry(site.session.get_one(DomainClaim, (world.alpha, HOST)), site.now())
        site.session.commit()
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CLAIMED  # What was lost needs a new record.


def test_silent_name_servers_are_no_proof_of_anything(
    served: Flask, world: World, names: NameServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(world.alpha, names)
    monkeypatch.setattr(local_dns, "SECONDS", 0.4)
    names.silent.add(HOST)
    served.extensions["vitrine.ports"].resolver._made = None
    domain_steps.advance(world.alpha, HOST)
    clock.sleep(5 * 86400)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
    clock.sleep(10 * 86400)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.FAILED


def test_a_claim_that_nobody_proves_ends(served: Flask, world: World, names: NameServer, clock: ManualClock) -> None:
    claimed(world.alpha)
    clock.sleep(31 * 86400)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.FAILED
    assert state(world.alpha) == (DomainState.FAILED, "proof-late")


def test_what_changed_while_it_was_looked_at_is_left_alone(
    served: Flask, world: World, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is removed and made anew while name servers are being asked about the old one."""
    claimed(world.alpha, names)
    ask = DnsResolver.ask

    def meanwhile(self: DnsResolver, name: str, kind: str) -> object:
        answer = ask(self, name, kind)
        monkeypatch.setattr(DnsResolver, "ask", ask)
        db.session.execute(update(DomainClaim).values(token="another").execution_options(synchronize_session=False))
        db.session.commit()
        return answer

    monkeypatch.setattr(DnsResolver, "ask", meanwhile)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.CLAIMED
    assert title(served) == "nobody"


class SlowEdge(AppEdge):
    """Our fake of an edge that takes steps, and can be away."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(["x" * 40], clock)
        self.steps, self.away = 0, False
        self.withdrawn: list[str] = []

    def serve(self, host: str) -> Serving:
        if self.away:
            raise Unavailable("away")
        self.steps += 1
        return Serving(self.steps > 2, "" if self.steps > 2 else "a certificate")

    def withdraw(self, host: str) -> bool:
        self.withdrawn.append(host)
        return len(self.withdrawn) > 1


def test_the_edge_is_waited_for_and_told_of_the_end(
    served: Flask, world: World, names: NameServer, clock: ManualClock
) -> None:
    edge = SlowEdge(clock)
    object.__setattr__(served.extensions["vitrine.ports"], "edge", edge)
    claimed(world.alpha, names)
    domain_steps.advance(world.alpha, HOST)
    edge.away = True
    with pytest.raises(Unavailable):
        domain_steps.advance(world.alpha, HOST)
    edge.away = False
    assert domain_steps.advance(world.alpha, HOST) is DomainState.VERIFIED
    assert state(world.alpha) == (DomainState.VERIFIED, "edge-waiting")
    domain_steps.advance(world.alpha, HOST)
    assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
    with open_site(world.alpha) as site:
        claims.remove(site.session, site.tenant, site.session.get_one(DomainClaim, (world.alpha, HOST)), site.now())
        site.session.commit()
    assert title(served) == "nobody"
    assert domain_steps.advance(world.alpha, HOST) is DomainState.REMOVED
    assert domain_steps.advance(world.alpha, HOST) is None
    assert edge.withdrawn == [HOST, HOST]


def test_the_edge_keeps_a_host_that_is_anothers_by_now(
    served: Flask, world: World, names: NameServer, clock: ManualClock
) -> None:
    edge = SlowEdge(clock)
    edge.steps = 9
    object.__setattr__(served.extensions["vitrine.ports"], "edge", edge)
    live(world.alpha, names)
    with open_site(world.alpha) as site:
        claims.remove(site.session, site.tenant, site.session.get_one(DomainClaim, (world.alpha, HOST)), site.now())
        site.session.commit()
    live(world.beta, names)
    assert domain_steps.advance(world.alpha, HOST) is None
    assert edge.withdrawn == []


def test_the_first_domain_must_be_live(served: Flask, world: World, names: NameServer) -> None:
    claimed(world.alpha)
    with open_site(world.alpha) as site, pytest.raises(Problem, match="not live"):
        claims.choose_primary(site.tenant, site.session.get(DomainClaim, (world.alpha, HOST)), redirect=True)


def test_visitors_are_sent_to_the_first_domain_if_so_wished(served: Flask, world: World, names: NameServer) -> None:
    live(world.alpha, names)
    port = served.extensions["vitrine.settings"].web_port
    client = served.test_client()
    at = {**PAGE, "Host": "alpha.localhost"}
    for redirect, status in ((False, 200), (True, 302)):
        with open_site(world.alpha) as site:
            claims.choose_primary(site.tenant, site.session.get(DomainClaim, (world.alpha, HOST)), redirect=redirect)
            site.session.commit()
        assert client.get("/a/alpha-shows?x=1", headers=at).status_code == status
    assert client.get("/a/alpha-shows?x=1", headers=at).location == f"http://{HOST}:{port}/a/alpha-shows?x=1"
    assert client.get("/a/alpha-shows", headers={**PAGE, "Host": HOST}).status_code == 200
    odd = client.get("//evil.example/", headers=at)
    assert odd.location is None or odd.location.startswith(f"http://{HOST}:{port}/")
    assert (
        "evil"
        not in (client.get("//evil.example/", headers=at).location or "").partition("/a")[0].partition("//")[2][:12]
    )
    # The dashboard's sessions belong to a host, and the sub-domain is the way back if the domain fails.
    assert client.get("/dashboard/sign-in", headers=at).status_code == 200


def test_a_tenant_has_a_bounded_number_of_claims(served: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_CLAIMS", 2)
    claimed(world.alpha, host="a.example.com")
    claimed(world.alpha, host="b.example.com")
    with pytest.raises(Problem, match="Remove one"):
        claimed(world.alpha, host="c.example.com")


# --- Commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def flask(served: Flask) -> FlaskCliRunner:
    from tenants.cli import register

    register(served)
    return served.test_cli_runner()


def test_commands_from_claim_to_removal(flask: FlaskCliRunner, world: World, names: NameServer) -> None:
    made = flask.invoke(args=["domains", "add", "alpha", "Münch.example.com"])
    assert "TXT\t_challenge.xn--mnch-0ra.example.com\tsite-proof=" in made.output
    assert "CNAME\txn--mnch-0ra.example.com\tsites.host.example" in made.output
    host = "xn--mnch-0ra.example.com"
    names.put(f"_challenge.{host}", "TXT", made.output.partition("_challenge")[2].split("\t")[1].split("\n")[0])
    names.put(host, "A", "127.0.0.1")
    assert flask.invoke(args=["domains", "check"]).exit_code == 0
    assert "münch.example.com: live" in flask.invoke(args=["domains", "check", "alpha", host]).output
    assert flask.invoke(args=["domains", "primary", "alpha", host, "--redirect"]).exit_code == 0
    assert "münch.example.com\tlive\tprimary" in flask.invoke(args=["domains", "list", "alpha"]).output
    assert flask.invoke(args=["domains", "remove", "alpha", host]).exit_code == 0
    assert "no such" not in flask.invoke(args=["domains", "check"]).output
    assert "not claimed" in flask.invoke(args=["domains", "check", "alpha", host]).stderr


def test_a_vouched_domain_needs_no_proof(flask: FlaskCliRunner, served: Flask, world: World, names: NameServer) -> None:
    assert flask.invoke(args=["domains", "add", "alpha", HOST, "--vouched"]).exit_code == 0
    assert title(served) == "alpha"
    names.put(HOST, "A", "127.0.0.1")
    assert domain_steps.advance(world.alpha, HOST) is DomainState.LIVE
    token = claimed(world.beta)
    names.put(f"_challenge.{HOST}", "TXT", f"site-proof={token}")
    domain_steps.advance(world.beta, HOST)
    assert title(served) == "alpha"


def test_each_claim_is_due_in_its_time(served: Flask, world: World, names: NameServer, clock: ManualClock) -> None:
    claimed(world.alpha)
    assert domain_steps.due() == [(world.alpha, HOST)]
    domain_steps.advance(world.alpha, HOST)
    assert domain_steps.due() == []
    clock.sleep(31)
    assert domain_steps.due() == [(world.alpha, HOST)]
    domain_steps.postpone(world.alpha, HOST)
    assert domain_steps.due() == []
    with open_site(world.alpha) as site:
        assert site.session.scalars(select(Domain)).all() == []
        assert domains.shown(HOST) == HOST
        assert timedelta(0) < claims.check_often(site.session.get_one(DomainClaim, (world.alpha, HOST)), site.now())
