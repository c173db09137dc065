"""Connections to addresses that strangers named: only public ones (or some that the operator gave), and not for longer
than was allowed, however slowly the other side sends.

Whoever connects resolves a name first, asks `may_connect` of each address, and connects to the address: a second look
at the name might get another answer (DNS rebinding).
"""

import ipaddress
import socket
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from threading import Timer

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def may_connect(text: str, own: Collection[Address | Network] = ()) -> bool:
    """Whether an address is public, or among the operator's `own` addresses and networks."""
    address = ipaddress.ip_address(text)
    if any(address == each or (isinstance(each, Network) and address in each) for each in own):
        return True
    if address.version == 6 and (address in _NAT64 or address.ipv4_mapped or address.sixtofour or address.teredo):
        return False  # An IPv4 address in disguise, perhaps one of ours.
    return address.is_global and not address.is_multicast


@contextmanager
def connected(address: str, port: int, seconds: float) -> Iterator[list[socket.socket]]:
    """A connection, cut off after `seconds` in all; whatever is wrapped around it goes into the list."""
    with socket.create_connection((address, port), timeout=seconds) as plain:
        streams = [plain]
        # Timeouts of the socket are for each read: one byte at a time would be within all of them.
        clock = Timer(seconds, _cut, (streams,))
        clock.daemon = True
        clock.start()
        try:
            yield streams
        finally:
            clock.cancel()
            for stream in streams:
                stream.close()


def secured(context: ssl.SSLContext, host: str, streams: list[socket.socket]) -> ssl.SSLSocket:
    """TLS around the last of the streams, with `host` as the name that is asked for and checked."""
    secure = context.wrap_socket(streams[-1], server_hostname=host, do_handshake_on_connect=False)
    streams.append(secure)
    secure.do_handshake()
    return secure


def _cut(streams: list[socket.socket]) -> None:
    for stream in streams:
        with suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)
