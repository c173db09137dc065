"""Does a host lead here? A request to its public address, under its name, that only this deployment can answer.

The addresses come from whoever owns the host, so they are not to be trusted with more than this: only public ones (or
the operator's own) are connected to, at the site's own port, without following redirects, within `SECONDS` and
`MOST_BYTES`.
"""

import hmac
import http.client
import secrets
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from itsdangerous import BadSignature, TimestampSigner

from infra.guarded import Address, connected, may_connect, secured

PATH = "/.well-known/host-probe/"
SECONDS = 6.0
MOST_BYTES = 4096
NONCE_SECONDS = 120


@dataclass(frozen=True)
class Certificate:
    """What a host presents. `fault` is the TLS library's sentence if a browser would not accept it."""

    names: tuple[str, ...]
    until: datetime
    fault: str = ""


@dataclass(frozen=True)
class Reach:
    """`here`: the request came back to this deployment. `status` is what somebody else answered, if anyone did."""

    here: bool
    address: str = ""
    status: int | None = None
    fault: str = ""
    certificate: Certificate | None = None


@dataclass(frozen=True)
class Prober:
    """`own` are addresses that the operator gave, and that may be private ones."""

    secret: str
    scheme: str
    port: int
    own: frozenset[Address] = frozenset()

    def reach(self, host: str, addresses: Sequence[str]) -> Reach:
        """Try the first two of the addresses that may be connected to."""
        allowed = [address for address in addresses if may_connect(address, self.own)]
        if not allowed:
            return Reach(here=False, fault="no public address" if addresses else "no address")
        found = Reach(here=False)
        for address in allowed[:2]:
            found = self._ask(host, address)
            if found.here:
                break
        return found

    def nonce(self) -> str:
        return self._signer().sign(secrets.token_urlsafe(12)).decode()

    def answer(self, nonce: str, host: str) -> str | None:
        """What this deployment says to a nonce of its own, under that host; None to anyone else's."""
        try:
            self._signer().unsign(nonce, max_age=NONCE_SECONDS)
        except BadSignature:
            return None
        return hmac.new(self.secret.encode(), f"host probe\0{host}\0{nonce}".encode(), "sha256").hexdigest()

    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self.secret, salt="host probe")

    def _ask(self, host: str, address: str) -> Reach:
        try:
            with connected(address, self.port, SECONDS) as streams:
                found = self._talk(host, address, streams)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Reach(here=False, address=address, fault=str(error) or type(error).__name__)
        if found.certificate is not None:
            found = replace(found, certificate=replace(found.certificate, fault=self._fault(host, address)))
        return found

    def _talk(self, host: str, address: str, streams: list[socket.socket]) -> Reach:
        certificate = None
        if self.scheme == "https":
            # Whether it leads here is one question, whether browsers accept the certificate another.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            certificate = _certificate(secured(context, host, streams))
        nonce = self.nonce()
        connection = http.client.HTTPConnection(host, self.port)
        connection.sock = streams[-1]
        connection.request("GET", PATH + nonce, headers={"Accept": "text/plain", "Connection": "close"})
        response = connection.getresponse()
        body = response.read(MOST_BYTES)
        here = hmac.compare_digest(body.strip(), (self.answer(nonce, host) or "").encode())
        return Reach(here=here, address=address, status=response.status, certificate=certificate)

    def _fault(self, host: str, address: str) -> str:
        """What a browser would say to the certificate."""
        try:
            with connected(address, self.port, SECONDS) as streams:
                secured(ssl.create_default_context(), host, streams)
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except OSError as error:
            return str(error)
        return ""


def _certificate(stream: ssl.SSLSocket) -> Certificate:
    parsed = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True) or b"")
    names: tuple[str, ...] = ()
    with suppress(x509.ExtensionNotFound):
        alternative = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(alternative.get_values_for_type(x509.DNSName))
    return Certificate(names, parsed.not_valid_after_utc)
