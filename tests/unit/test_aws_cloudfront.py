"""CloudFront's distribution tenants and signatures.

`CloudFrontFake` is our own fake and keeps state; botocore's Stubber holds single answers. Both make botocore check what
is asked against the service model. None of it is AWS.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from cloudfront_fake import BASE_TENANT, DISTRIBUTION, GROUP, CloudFrontFake, Crash
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from sqlalchemy import create_engine

from infra.aws.cloudfront import CloudFrontEdge
from infra.aws.cloudfront_signing import Signer, read_signers
from infra.aws.cloudfront_tenants import DistributionTenants, Hosting, name_of
from infra.errors import Unavailable
from infra.settings import SettingsError, load
from infra.wiring import build

HOST = "photos.example.com"
UNTIL = datetime(2026, 6, 1, 12, tzinfo=UTC)


def adapter(fake: CloudFrontFake) -> DistributionTenants:
    return DistributionTenants(fake, Hosting(DISTRIBUTION, GROUP, "sites.example", BASE_TENANT))  # type: ignore[arg-type]


def serve_until_ready(fake: CloudFrontFake, steps: int = 30) -> list[str]:
    """What each step waited for, with a new process each time."""
    said = []
    for _ in range(steps):
        try:
            serving = adapter(fake).serve(HOST)
        except Crash:
            continue
        if serving.ready:
            return said
        said.append(serving.waits_for)
        fake.settle()
    raise AssertionError(said)


def test_from_nothing_to_an_active_domain() -> None:
    fake = CloudFrontFake()
    assert "created" in adapter(fake).serve(HOST).waits_for
    fake.settle()
    assert adapter(fake).serve(HOST).waits_for == "no CNAME"
    fake.points_here.add(HOST)
    said = serve_until_ready(fake)
    assert said == ["the certificate is being issued", "the certificate is being installed"]
    (tenant,) = fake.tenants.values()
    assert tenant["Domains"] == [{"Domain": HOST, "Status": "active"}]


def test_a_ready_host_changes_nothing_more() -> None:
    fake = CloudFrontFake()
    fake.points_here.add(HOST)
    serve_until_ready(fake)
    before = len(fake.calls)
    assert adapter(fake).serve(HOST).ready
    assert fake.calls[before:] == ["GetDistributionTenant"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_any_call_is_continued(moment: str) -> None:
    """On the way up and down again, with the process ending at each single call of it, in turn."""
    calls = 1
    at = 0
    while at < calls:
        at += 1
        fake = CloudFrontFake()
        fake.points_here.add(HOST)
        fake.crash_at = (at, moment)
        serve_until_ready(fake)
        (tenant,) = fake.tenants.values()
        assert tenant["Domains"][0]["Status"] == "active"
        for _ in range(20):
            try:
                if adapter(fake).withdraw(HOST):
                    break
            except Crash:
                pass
            fake.settle()
        assert fake.tenants == {}
        calls = len(fake.calls)
    assert at > 8


def test_claimed_again_while_it_is_being_taken_down() -> None:
    fake = CloudFrontFake()
    fake.points_here.add(HOST)
    serve_until_ready(fake)
    assert not adapter(fake).withdraw(HOST)
    assert "switched on again" in adapter(fake).serve(HOST).waits_for
    serve_until_ready(fake)


@pytest.mark.parametrize("status", ["validation-timed-out", "failed", "expired"])
def test_a_failed_certificate_is_asked_for_again(status: str) -> None:
    fake = CloudFrontFake()
    adapter(fake).serve(HOST)
    (details,) = fake.certificates.values()
    details["CertificateStatus"] = status
    fake.points_here.add(HOST)
    assert "asked for" in adapter(fake).serve(HOST).waits_for
    serve_until_ready(fake)


def test_a_domain_of_another_distribution() -> None:
    fake = CloudFrontFake()
    fake.elsewhere[HOST] = True
    assert "tied to another" in adapter(fake).serve(HOST).waits_for
    # The distribution tenant is there by name, made by hand or left without its domain: it is moved.
    fake.tenants["dt_x"] = {
        "Id": "dt_x", "Name": HOST, "Domains": [], "Enabled": True, "Status": "Deployed", "_version": 0,
    }  # fmt: skip
    assert "moved" in adapter(fake).serve(HOST).waits_for
    fake.points_here.add(HOST)
    serve_until_ready(fake)
    fake.elsewhere["b.example"] = False
    fake.tenants["dt_y"] = {**fake.tenants["dt_x"], "Id": "dt_y", "Name": "b.example", "Domains": []}
    assert "disable it there" in adapter(fake).serve("b.example").waits_for


def test_invalidation_goes_to_the_hosts_own_tenant_and_the_wildcards() -> None:
    fake = CloudFrontFake()
    fake.points_here.add(HOST)
    serve_until_ready(fake)
    fake.tenants["dt_base"] = {
        "Id": "dt_base", "Name": BASE_TENANT, "Domains": [], "Enabled": True, "Status": "Deployed", "_version": 0,
    }  # fmt: skip
    for host in (HOST, "alpha.sites.example", "never.example"):
        adapter(fake).invalidate(host, ["/m/o1/", "/m/s2/"], f"r-{host}")
    assert fake.invalidations == {
        f"r-{HOST}": (HOST, ["/m/o1/*", "/m/s2/*"]),
        "r-alpha.sites.example": (BASE_TENANT, ["/m/o1/*", "/m/s2/*"]),
    }


def test_names_fit_what_cloudfront_takes() -> None:
    assert name_of(HOST) == HOST
    long = ".".join(["a" * 60] * 3)
    assert len(name_of(long)) <= 128
    assert name_of(long) != name_of("b" + long)


@pytest.mark.parametrize(("code", "status"), [("ServiceUnavailable", 503), ("Throttling", 400)])
def test_an_outage_is_unavailable_and_a_refusal_is_not(code: str, status: int) -> None:
    client = boto3.client("cloudfront", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    class One:
        def get(self, _service: str) -> object:
            return client

    tenants = DistributionTenants(One(), Hosting(DISTRIBUTION, GROUP, "sites.example", BASE_TENANT))  # type: ignore[arg-type]
    with Stubber(client) as stub:
        expected = {"Identifier": HOST}
        stub.add_client_error("get_distribution_tenant", code, http_status_code=status, expected_params=expected)
        with pytest.raises(Unavailable):
            tenants.serve(HOST)
        stub.add_client_error("get_distribution_tenant", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            tenants.withdraw(HOST)
        stub.assert_no_pending_responses()


# --- Signatures -------------------------------------------------------------------------------------------------------


def key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def check(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, signature: bytes, message: bytes) -> None:
    """As CloudFront would, with the public half; raises InvalidSignature."""
    if isinstance(private, rsa.RSAPrivateKey):
        private.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        private.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256()))


def decoded(text: str) -> bytes:
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_cookies_open_one_path_until_a_time(kind: str) -> None:
    private = key(kind)
    cookies = Signer("K2", pem(private)).cookies("https://photos.example.com/m/s1/*", UNTIL)
    policy = decoded(cookies["CloudFront-Policy"])
    assert json.loads(policy) == {
        "Statement": [
            {
                "Resource": "https://photos.example.com/m/s1/*",
                "Condition": {"DateLessThan": {"AWS:EpochTime": int(UNTIL.timestamp())}},
            }
        ]
    }
    assert cookies["CloudFront-Key-Pair-Id"] == "K2"
    assert cookies["CloudFront-Hash-Algorithm"] == "SHA256"
    check(private, decoded(cookies["CloudFront-Signature"]), policy)
    with pytest.raises(InvalidSignature):
        check(private, decoded(cookies["CloudFront-Signature"]), policy.replace(b"s1", b"s2"))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_signed_address_carries_a_canned_policy(kind: str) -> None:
    private = key(kind)
    url = "https://photos.example.com/m/s1/x.jpg?v=1"
    signed = Signer("K2", pem(private)).url(url, UNTIL)
    assert signed.startswith(url + "&Expires=")
    query = parse_qs(urlsplit(signed).query)
    policy = (
        f'{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":'
        f"{int(UNTIL.timestamp())}}}}}}}]}}"
    )
    check(private, decoded(query["Signature"][0]), policy.encode())
    assert query["Hash-Algorithm"] == ["SHA256"]


def test_keys_that_cloudfront_would_not_take_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "good.pem").write_bytes(pem(key("ecdsa")))
    assert [signer.key_id for signer in read_signers([f"K1={tmp_path / 'good.pem'}"])] == ["K1"]
    wrong = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(ValueError, match="P-256"):
        Signer("K1", pem(wrong))


# --- Settings ---------------------------------------------------------------------------------------------------------


def test_the_setting_chooses_the_adapter_and_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(data_dir=tmp_path, edge="cloudfront")
    assert str(caught.value).count("is needed by VITRINE_EDGE=cloudfront") == 5
    (tmp_path / "new.pem").write_bytes(pem(key("ecdsa")))
    settings = load(
        data_dir=tmp_path,
        edge="cloudfront",
        cloudfront_distribution=DISTRIBUTION,
        cloudfront_connection_group=GROUP,
        cloudfront_base_tenant=BASE_TENANT,
        cloudfront_keys=f"K2={tmp_path / 'new.pem'}",
        domain_target="d1.cloudfront.net",
    )
    edge = build(settings, create_engine("sqlite://")).edge
    assert isinstance(edge, CloudFrontEdge)
    assert edge.cookies("https://x.example", "/m/s1/", until=UNTIL)["CloudFront-Key-Pair-Id"] == "K2"
    assert "Hash-Algorithm=SHA256" in edge.signed("https://x.example/m/e1/a.jpg", until=UNTIL)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cloudfront_keys", "K2"),
        ("edge_keys", "short"),
        ("dns_servers", "ns.example"),
        ("certificate_askers", "10.0.0.1/8"),
        ("domain_addresses", "photos.example"),
    ],
)
def test_settings_that_cannot_work_are_named(tmp_path: Path, setting: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"VITRINE_{setting.upper()}"):
        load(data_dir=tmp_path, **{setting: value})


def test_addresses_are_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_DOMAIN_ADDRESSES", "203.0.113.9, 2001:db8::1")
    assert [str(address) for address in load(data_dir=tmp_path).domain_addresses] == ["203.0.113.9", "2001:db8::1"]
