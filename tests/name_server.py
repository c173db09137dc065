"""A DNS server over UDP on 127.0.0.1 that answers from a table: what a test says is in the zone, and nothing else.

It follows aliases as a recursive server does, tells NXDOMAIN from an empty answer, and can be silent.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.example. admin.example. 1 3600 600 86400 60"


class NameServer:
    """`records` are by name (without a final dot) and kind. Names in `silent`, and below them, get no answer."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def put(self, name: str, kind: str, *values: str) -> None:
        """Replace the records; none without values."""
        if values:
            self.records[name, kind] = list(values)
        else:
            self.records.pop((name, kind), None)

    def zone(self, name: str) -> None:
        self.put(name, "SOA", SOA)

    def serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
            kind = dns.rdatatype.to_text(query.question[0].rdtype)
            self.asked.append((name, kind))
            if not any(name == quiet or name.endswith("." + quiet) for quiet in self.silent):
                self._socket.sendto(self._answer(query, name, kind).to_wire(), peer)

    def _answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        for _ in range(10):
            alias = self.records.get((name, "CNAME"))
            if alias and kind != "CNAME":
                response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", alias[0] + "."))
                name = alias[0]
                continue
            if values := self.records.get((name, kind)):
                if kind == "CNAME":
                    values = [value + "." for value in values]
                if kind == "TXT":
                    values = [f'"{value}"' for value in values]
                response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *values))
            elif not any(known == name or known.endswith("." + name) for known, _ in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            break
        return response

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            host, _, port = self.address.partition(":")
            last.sendto(b"", (host, int(port)))


@contextmanager
def running() -> Iterator[NameServer]:
    server = NameServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)
        server._socket.close()
