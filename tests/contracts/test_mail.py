"""Mail, by a folder and by a real SMTP server: what arrives is the letter, and what is not taken is said to be so."""

import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from aws_double import DoubleClock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from loopback import free_port

from infra.aws.client import Clients
from infra.aws.ses import SesMail
from infra.errors import Unavailable
from infra.local.letterbox import FolderMail
from infra.local.smtp import Login, SmtpMail
from infra.ports import Letter, Mail

LETTER = Letter(
    to="anna@example.com",
    subject="Einladung zu Ümläut",
    text="Bitte hier:\n\nhttps://photos.example/dashboard/join/abc_def-ghi\n",
    sender='Fotografie Müller, "Ümläut"\r\nBcc: all@example.com',
)
SENDER = "noreply@photos.example"
NOBODY = Login("", "")


class Postbox:
    """A server's handler (aiosmtpd, RFC 5321) that keeps what it takes."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"


class Served:
    def __init__(self, **options: Any) -> None:
        self.box = Postbox()
        self.port = free_port()
        self.controller = Controller(self.box, hostname="127.0.0.1", port=self.port, **options)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(**options: Any) -> Served:
        served = Served(**options)
        served.controller.start()
        running.append(served)
        return served

    yield start
    for served in running:
        served.controller.stop()


@pytest.fixture
def ses(keys: None, moto_clock: DoubleClock) -> Iterator[Clients]:
    """SES is moto's, which knows the sender's domain."""
    clients = Clients(region="us-east-1", endpoint_url=moto_clock.url)
    clients.get("ses").verify_domain_identity(Domain=SENDER.rpartition("@")[2])
    yield clients
    clients.close()


def letters(clients: Clients) -> list[tuple[str, list[str], bytes]]:
    with urllib.request.urlopen(f"{clients.get('ses').meta.endpoint_url}/double/letters", timeout=10) as answer:
        return [(source, to, text.encode()) for source, to, text in json.load(answer)]


@pytest.fixture(params=["folder", "smtp", "ses: moto server"])
def mail(request: pytest.FixtureRequest, tmp_path: Path, serve: Callable[..., Served]) -> Iterator[tuple[Mail, Any]]:
    """An adapter, and how to read what it sent."""
    if request.param == "folder":
        yield (
            FolderMail(tmp_path / "mail", sender=SENDER),
            lambda: [f.read_bytes() for f in (tmp_path / "mail").iterdir()],
        )
    elif request.param.startswith("ses"):
        clients = request.getfixturevalue("ses")
        before = len(letters(clients))
        yield SesMail(clients, sender=SENDER), lambda: [raw for _, _, raw in letters(clients)[before:]]
    else:
        served = serve()
        adapter = SmtpMail("127.0.0.1", served.port, NOBODY, sender=SENDER, tls="none")
        yield adapter, lambda: [content for _, _, content in served.box.taken]


def test_the_letter_arrives_whole(mail: tuple[Mail, Any]) -> None:
    adapter, arrived = mail
    adapter.send(LETTER)
    (raw,) = arrived()
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert message["To"] == LETTER.to
    assert message["Subject"] == LETTER.subject
    assert message.get_content().replace("\r\n", "\n").strip() == LETTER.text.strip()
    assert message["From"].addresses[0].addr_spec == SENDER
    assert message["Date"] and message["Message-ID"]


def test_a_name_adds_no_header(mail: tuple[Mail, Any]) -> None:
    """Names are the tenants' own words."""
    adapter, arrived = mail
    adapter.send(LETTER)
    message = message_from_bytes(arrived()[0], policy=default)
    assert message["Bcc"] is None
    assert message["From"].addresses[0].display_name.startswith("Fotografie Müller")


def test_whether_letters_leave_is_said(mail: tuple[Mail, Any]) -> None:
    adapter, _ = mail
    assert adapter.delivers is not isinstance(adapter, FolderMail)


def test_ses_is_told_who_sends_to_whom_and_what_it_refuses_is_told(ses: Clients) -> None:
    SesMail(ses, sender=SENDER).send(LETTER)
    source, to, _ = letters(ses)[-1]
    assert (source, set(to)) == (SENDER, {LETTER.to})
    before = len(letters(ses))
    with pytest.raises(Unavailable, match="SES did not take the letter"):
        SesMail(ses, sender="noreply@stranger.example").send(LETTER)
    gone = Clients(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        SesMail(gone, sender=SENDER).send(LETTER)
    gone.close()
    assert len(letters(ses)) == before


def test_kept_letters_are_for_nobody_else(tmp_path: Path) -> None:
    FolderMail(tmp_path / "mail", sender=SENDER).send(LETTER)
    (file,) = (tmp_path / "mail").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="could not be written"):
        FolderMail(tmp_path / "mail", sender=SENDER).send(LETTER)


def test_a_server_that_refuses_or_is_away_is_told(serve: Callable[..., Served]) -> None:
    served = serve()
    adapter = SmtpMail("127.0.0.1", served.port, NOBODY, sender=SENDER, tls="none")
    with pytest.raises(Unavailable, match="550"):
        adapter.send(Letter("nobody@example.com", "x", "x", "x"))
    with pytest.raises(Unavailable, match="ConnectionRefused"):
        SmtpMail("127.0.0.1", free_port(), NOBODY, sender=SENDER, tls="none").send(LETTER)
    assert served.box.taken == []


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that nobody knows, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


def test_by_starttls_with_a_login(
    tmp_path: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SES asks for it. The server's certificate is checked: a stranger's is refused before the password is sent."""
    cert, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    seen: list[bytes] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, given: LoginPassword) -> AuthResult:
        seen.append(given.password)
        return AuthResult(success=given.password == b"right", handled=False)

    served = serve(tls_context=context, require_starttls=True, authenticator=check, auth_required=True)
    adapter = SmtpMail("localhost", served.port, Login("user", "right"), sender=SENDER, tls="starttls")
    with pytest.raises(Unavailable, match="certificate"):
        adapter.send(LETTER)
    assert seen == []
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    adapter.send(LETTER)
    assert served.box.taken[0][:2] == (SENDER, [LETTER.to])
    with pytest.raises(Unavailable, match="535"):
        SmtpMail("localhost", served.port, Login("user", "wrong"), sender=SENDER, tls="starttls").send(LETTER)
