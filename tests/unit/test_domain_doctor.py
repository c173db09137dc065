"""The domain doctor, against a real name server and real servers on 127.0.0.1."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

import name_server
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from name_server import NameServer

from infra.guarded import may_connect
from infra.local import dns as local_dns
from infra.local.dns import DnsResolver
from infra.ports import NoAnswer
from tenants.doctor import MESSAGES, Doctor, Patient, Place, Record, Verdict
from tenants.probe import PATH, Prober

HOST = "photos.example.com"
APEX = "example.com"
TARGET = "sites.host.example"
HERE, ELSEWHERE = "127.0.0.1", "203.0.113.9"
NOW = datetime.now(UTC)
PLACE = Place(TARGET, (HERE, "::1"), ("letsencrypt.org",))


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server.running() as server:
        server.zone(APEX)
        server.put(TARGET, "A", HERE)
        yield server


class Site(BaseHTTPRequestHandler):
    """Answers probes as the app does, or not."""

    prober: Prober
    behaviour = "ours"

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        body = (self.prober.answer(self.path.removeprefix(PATH), host) or "").encode()
        self.send_response(200 if self.behaviour == "ours" else 302)
        self.send_header("Location", "http://169.254.169.254/")
        self.end_headers()
        self.wfile.write(body if self.behaviour == "ours" else b"<h1>Parked</h1>")

    def log_message(self, *_anything: object) -> None:
        """Requests are not news."""


Serve = Callable[..., tuple[Doctor, type[Site]]]


@pytest.fixture
def serve(names: NameServer) -> Iterator[Serve]:
    """Starts a server on 127.0.0.1, with TLS if it gets a context; the doctor that asks it."""
    stop = []

    def start(context: ssl.SSLContext | None = None, *, own: str = HERE, secret: str = "s" * 40) -> tuple[Doctor, type]:
        handler = type("Handler", (Site,), {})
        server = HTTPServer(("127.0.0.1", 0), handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        stop.append((server, thread))
        scheme = "https" if context else "http"
        prober = Prober(secret, scheme, server.server_port, frozenset({ip_address(own)}))
        handler.prober = prober
        return Doctor(DnsResolver([names.address]), prober, PLACE, NOW), handler

    yield start
    for server, thread in stop:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_is_well(names: NameServer, serve: Serve) -> None:
    doctor, _ = serve()
    names.put(HOST, "CNAME", TARGET)
    names.put(f"_challenge.{HOST}", "TXT", "site-proof=abc", "something else")
    findings = doctor.examine(Patient(HOST, "abc"))
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert [finding.code for finding in findings] == ["proof-found", "address-right", "caa-free", "reach-here"]


@pytest.mark.parametrize(
    ("records", "code", "record"),
    [
        ({}, "proof-missing", True),
        ({(f"_challenge.{HOST}", "TXT"): ["site-proof=old"]}, "proof-other", True),
        ({(f"_challenge.{HOST}.{HOST}", "TXT"): ["site-proof=abc"]}, "proof-nested", True),
        ({("_challenge.delegated.example", "TXT"): ["site-proof=abc"]}, "proof-found", True),
    ],
)
def test_proof(
    names: NameServer, serve: Serve, records: dict[tuple[str, str], list[str]], code: str, record: bool
) -> None:
    names.records.update(records)
    names.put(HOST, "CNAME", TARGET)
    if code == "proof-found":  # An alias of the proof's name is followed, as certificate authorities do.
        names.put(f"_challenge.{HOST}", "CNAME", "_challenge.delegated.example")
    doctor, _ = serve()
    finding = doctor.proof(Patient(HOST, "abc"))
    assert finding.code == code
    assert finding.record == Record("TXT", f"_challenge.{HOST}", "site-proof=abc")
    assert doctor.proven(HOST, "abc") is (code == "proof-found")


@pytest.mark.parametrize(
    ("host", "records", "code", "record"),
    [
        (HOST, {}, "address-missing", Record("CNAME", HOST, TARGET)),
        (HOST, {"CNAME": [TARGET]}, "address-right", None),
        (HOST, {"A": [HERE]}, "address-right", None),
        (HOST, {"A": [HERE], "AAAA": ["::1"]}, "address-right", None),
        (HOST, {"CNAME": ["shops.example"]}, "cname-elsewhere", Record("CNAME", HOST, TARGET)),
        (HOST, {"A": [ELSEWHERE]}, "address-elsewhere", Record("CNAME", HOST, TARGET)),
        (HOST, {"A": [HERE], "AAAA": ["2001:db8::1"]}, "address-stray", Record("AAAA", HOST, "2001:db8::1")),
        (HOST, {"A": [HERE, ELSEWHERE]}, "address-stray", Record("A", HOST, ELSEWHERE)),
        (APEX, {}, "address-missing", Record("A", APEX, HERE)),
        (APEX, {"A": [HERE]}, "address-right", None),
        (APEX, {"A": [ELSEWHERE]}, "address-elsewhere", Record("A", APEX, HERE)),
    ],
)
def test_addresses(
    names: NameServer, serve: Serve, host: str, records: dict[str, list[str]], code: str, record: Record | None
) -> None:
    for kind, values in records.items():
        names.put(host, kind, *values)
    doctor, site = serve()
    site.behaviour = "parked"
    finding = doctor.address(host, doctor.reach(host))
    assert (finding.code, finding.record) == (code, record)


def test_without_addresses_an_apex_gets_an_alias(names: NameServer) -> None:
    doctor = Doctor(DnsResolver([names.address]), Prober("s", "http", 1), Place(TARGET, (), ()), NOW)
    assert doctor.wanted(APEX) == [Record("ALIAS", APEX, TARGET)]
    assert doctor.wanted(HOST) == [Record("CNAME", HOST, TARGET)]


def test_a_proxy_in_front_is_seen_through(names: NameServer, serve: Serve) -> None:
    """The address is not ours, but the request comes back to us: here, the proxy is the server itself."""
    doctor, _ = serve()
    names.put(HOST, "A", HERE)
    doctor._place = Place("elsewhere.example", (), ())
    finding = doctor.address(HOST, doctor.reach(HOST))
    assert (finding.code, finding.verdict) == ("proxied", Verdict.WARNING)


@pytest.mark.parametrize(
    ("at", "records", "code"),
    [
        (HOST, ['0 issue "letsencrypt.org"'], "caa-permits"),
        (APEX, ['0 issue "ca.example"', '0 issue "LetsEncrypt.org; validationmethods=dns-01"'], "caa-permits"),
        (APEX, ['0 iodef "mailto:a@example.com"'], "caa-permits"),
        (APEX, ['0 issuewild "ca.example"'], "caa-permits"),
        (APEX, ['0 issue "ca.example"'], "caa-forbids"),
        ("com", ['0 issue ";"'], "caa-forbids-all"),
        (APEX, ['128 tbs "x"', '0 issue "letsencrypt.org"'], "caa-critical"),
    ],
)
def test_certificate_authorities(names: NameServer, serve: Serve, at: str, records: list[str], code: str) -> None:
    names.put(at, "CAA", *records)
    finding = serve()[0].caa(HOST)
    assert finding.code == code
    if code == "caa-forbids":
        assert finding.record == Record("CAA", at, '0 issue "letsencrypt.org"')


def test_the_nearest_caa_records_decide(names: NameServer, serve: Serve) -> None:
    names.put(APEX, "CAA", '0 issue "ca.example"')
    names.put(HOST, "CAA", '0 issue "letsencrypt.org"')
    assert serve()[0].caa(HOST).code == "caa-permits"


def test_silence_is_neither_yes_nor_no(names: NameServer, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_dns, "SECONDS", 0.4)
    names.silent.add(APEX)
    doctor, _ = serve()
    assert doctor.proven(HOST, "abc") is None
    findings = doctor.examine(Patient(HOST, "abc"))
    assert [finding.verdict for finding in findings[:3]] == [Verdict.UNKNOWN] * 3
    with pytest.raises(NoAnswer):
        DnsResolver([names.address]).ask(HOST, "A")


# --- The probe --------------------------------------------------------------------------------------------------------


def test_somebody_elses_server_is_not_us_and_its_redirect_is_not_followed(names: NameServer, serve: Serve) -> None:
    names.put(HOST, "A", HERE)
    doctor, site = serve()
    site.behaviour = "parked"
    finding = doctor.reached(doctor.reach(HOST))
    assert (finding.code, finding.about) == ("reach-elsewhere", {"found": "302"})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.1", "224.0.0.1", "::1",
        "fd00:ec2::254", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_never_connected_to(names: NameServer, address: str) -> None:
    kind = "AAAA" if ":" in address else "A"
    names.put(HOST, kind, address)
    prober = Prober("s" * 40, "http", 80)
    doctor = Doctor(DnsResolver([names.address]), prober, PLACE, NOW)
    assert not may_connect(address)
    assert doctor.reached(doctor.reach(HOST)).code == "reach-private"


def test_only_a_nonce_of_ours_is_answered_and_for_that_host() -> None:
    ours, theirs = Prober("a" * 40, "http", 80), Prober("b" * 40, "http", 80)
    nonce = ours.nonce()
    assert ours.answer(nonce, HOST)
    assert ours.answer(nonce, HOST) != ours.answer(nonce, APEX)
    assert theirs.answer(nonce, HOST) is None
    assert ours.answer("x", HOST) is None


def test_a_server_that_drips_is_cut_off(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    import tenants.probe

    monkeypatch.setattr(tenants.probe, "SECONDS", 1.0)
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        client, _ = listener.accept()
        with client:
            try:
                while not over.wait(0.1):
                    client.sendall(b"H")
            except OSError:
                over.set()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    reach = Prober("s" * 40, "http", listener.getsockname()[1], frozenset({ip_address(HERE)})).reach(HOST, [HERE])
    assert not reach.here
    assert over.wait(30), "the connection was left open"
    thread.join(5)
    listener.close()


# --- Certificates -----------------------------------------------------------------------------------------------------


def authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=9), NOW + timedelta(days=99))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made, key


def context_for(folder: Path, host: str, until: datetime, trust: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate of an authority that this process trusts from here on."""
    issuer, issuer_key = authority()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    leaf = (
        x509.CertificateBuilder(issuer.subject, subject, key.public_key(), 2, NOW - timedelta(days=8), until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(issuer.public_bytes(pem))
    (folder / "site.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + leaf.public_bytes(pem)
    )
    trust.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "site.pem")
    return context


@pytest.mark.parametrize(
    ("host", "days", "code", "verdict"),
    [
        (HOST, 60, "certificate-good", Verdict.OK),
        (HOST, 3, "certificate-soon", Verdict.WARNING),
        (HOST, -1, "certificate-bad", Verdict.WRONG),
        ("other.example", 60, "certificate-bad", Verdict.WRONG),
    ],
)
def test_certificates(
    names: NameServer,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    days: int,
    code: str,
    verdict: Verdict,
) -> None:
    names.put(HOST, "A", HERE)
    doctor, _ = serve(context_for(tmp_path, host, NOW + timedelta(days=days), monkeypatch))
    reach = doctor.reach(HOST)
    assert reach.here  # Whatever its certificate.
    assert reach.certificate is not None
    assert reach.certificate.names == (host,)
    (finding,) = doctor.certificate(reach)
    assert (finding.code, finding.verdict) == (code, verdict)


def test_every_message_can_be_filled() -> None:
    for message in MESSAGES.values():
        assert message % {"found": "x", "name": "y"}
