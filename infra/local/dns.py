"""The domain name system, through dnspython."""

import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdata import Rdata
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.txtbase import TXTBase

from infra.ports import NoAnswer

SECONDS = 4.0
"""For one question, retries included: somebody waits for the page."""


class DnsResolver:
    """Implements `infra.ports.Resolver`. Asks `servers` (`address` or `address:port`), or those of the machine."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)
        self._made: dns.resolver.Resolver | None = None

    def ask(self, name: str, kind: str) -> Sequence[str]:
        try:
            answer = self._resolver.resolve(f"{name}.", kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return ()
        except dns.exception.DNSException as error:
            raise NoAnswer(f"no answer for {kind} of {name}: {error}") from error
        if answer.rrset is None:
            return ()
        if kind == "SOA" and str(answer.rrset.name).rstrip(".").lower() != name:
            return ()
        return [_text(record) for record in answer.rrset]

    @property
    def _resolver(self) -> dns.resolver.Resolver:
        if self._made is None:
            made = dns.resolver.Resolver(configure=not self._servers)
            if self._servers:
                made.nameservers = [_server(server) for server in self._servers]
            made.lifetime, made.timeout = SECONDS, SECONDS / 2
            self._made = made
        return self._made


def _server(server: str) -> dns.nameserver.Nameserver:
    address, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
    ipaddress.ip_address(address)
    return dns.nameserver.Do53Nameserver(address, int(port or 53))


def _text(record: Rdata) -> str:
    if isinstance(record, TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")
    return record.to_text().rstrip(".") if isinstance(record, CNAME) else record.to_text()
