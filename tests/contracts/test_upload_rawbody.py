"""The raw reader against the pinned gunicorn: what it leans on is there, and the connection survives it."""

import hashlib
import io
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import World
from upload_server import BODY, HttpClient, Server, headers, named, ticket

from infra.settings import Settings, load

MIB = 1024 * 1024


class Wire:
    """One connection, byte by byte."""

    def __init__(self, port: int, token: str) -> None:
        self.token = token
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.rest = b""

    def head(self, method: str, path: str, size: int, **more: str | int) -> bytes:
        sent = {"Host": "upload.test", "Content-Length": str(size), **headers(self.token, **more)}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def answer(self) -> tuple[int, str]:
        """Status and head of the next response, whose body is dropped."""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        while len(self.rest) < size:
            self._more()
        self.rest = self.rest[size:]
        return int(head.split()[1]), head.decode().lower()

    def _more(self) -> None:
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError
        self.rest += piece

    def is_closed(self) -> bool:
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]
) -> Iterator[tuple[Server, Settings]]:
    folder = tmp_path_factory.mktemp("raw")
    shutil.copyfile(populated[0], folder / "vitrine.db")
    settings = load(data_dir=folder)
    with Server(folder) as server:
        yield server, settings


@pytest.fixture
def token(server: tuple[Server, Settings], world: World) -> str:
    return ticket(server[1].secret_key.get_secret_value(), world.alpha, world.alpha_album)


@pytest.fixture
def wire(server: tuple[Server, Settings], token: str) -> Iterator[Wire]:
    wire = Wire(server[0].port, token)
    yield wire
    wire.sock.close()


@pytest.fixture
def client(server: tuple[Server, Settings]) -> Iterator[HttpClient]:
    client = HttpClient(server[0].port)
    yield client
    client.connection.close()


def create(client: HttpClient, token: str, length: int, **more: str) -> str:
    metadata = named("raw.jpg", **more)
    made = client("POST", "/files/", headers(token, Upload_Length=length, Upload_Metadata=metadata))
    return made.headers["Location"]


def patch(wire: Wire, path: str, offset: int, size: int, **more: str | int) -> bytes:
    return wire.head("PATCH", path, size, Upload_Offset=offset, Content_Type=BODY["Content-Type"], **more)


def test_bodies_are_read_from_the_socket(server: tuple[Server, Settings]) -> None:
    """The private names that `SocketBody` needs, as the pinned gunicorn has them."""
    from gunicorn.http.body import Body, LengthReader
    from gunicorn.http.unreader import SocketUnreader

    ours, theirs = socket.socketpair()
    with ours, theirs:
        unreader = SocketUnreader(ours)
        unreader.unread(b"ahead")
        body = Body(LengthReader(unreader, 9))
        assert body.reader.length == 9 and unreader.buf.getvalue() == b"ahead" and body.buf.tell() == 0
        from uploader.rawbody import SocketBody, open_body

        raw = open_body({"wsgi.input": body, "gunicorn.socket": ours, "wsgi.url_scheme": "http"}, 9)
        assert isinstance(raw, SocketBody)
        theirs.sendall(b"more and the next request")
        buffer = bytearray(64)
        assert raw.read_into(memoryview(buffer)) == 5 and raw.left == 4
        assert raw.wait(1) and raw.read_into(memoryview(buffer)) == 4 and buffer[:4] == b"more"
        assert raw.left == 0 and body.read() == b""
        raw.close()
        assert ours.recv(64) == b" and the next request"


def test_two_requests_in_one_packet(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 8)
    wire.sock.sendall(patch(wire, path, 0, 4) + b"1234" + patch(wire, path, 4, 4) + b"5678")
    assert wire.answer()[0] == 204
    status, head = wire.answer()
    assert status == 204 and "upload-offset: 8" in head and "upload-asset" in head


def test_a_body_in_drops_keeps_the_connection(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 300_000)
    wire.sock.sendall(patch(wire, path, 0, 200_000))
    for _ in range(20):
        wire.sock.sendall(b"x" * 10_000)
        time.sleep(0.005)
    assert "upload-offset: 200000" in wire.answer()[1]
    wire.sock.sendall(patch(wire, path, 200_000, 100_000) + b"y" * 100_000)
    assert "upload-offset: 300000" in wire.answer()[1]


def test_a_client_that_goes_away_leaves_what_it_sent(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 4 * MIB)
    wire.sock.sendall(patch(wire, path, 0, 4 * MIB) + b"z" * (2 * MIB + 7))
    wire.sock.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + 10
    while (at := client("HEAD", path, headers(token)).offset) < 2 * MIB + 7 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert at == 2 * MIB + 7
    rest = client("PATCH", path, {**headers(token, Upload_Offset=at), **BODY}, b"z" * (4 * MIB - at))
    assert rest.offset == 4 * MIB and rest.headers["Upload-Asset"]


def test_a_fast_client_that_pauses_loses_nothing(wire: Wire, client: HttpClient, token: str) -> None:
    """In and out of a burst: what came before the pause is recorded, and the hash is of all."""
    data = os.urandom(12 * MIB + 77_777)
    pause = 7 * MIB + 4321
    path = create(client, token, len(data), sha256=hashlib.sha256(data).hexdigest())
    wire.sock.sendall(patch(wire, path, 0, len(data)) + data[:pause])
    deadline = time.monotonic() + 10
    while client("HEAD", path, headers(token)).offset < pause:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    wire.sock.sendall(data[pause:])
    status, head = wire.answer()
    assert status == 204 and "upload-asset" in head


def test_more_fast_clients_than_bursts(client: HttpClient, token: str) -> None:
    """Those that find no thread go through the event loop; each declares its SHA-256, which the server compares."""
    from uploader.burst import LIMIT

    bodies = [os.urandom(8 * MIB) for _ in range(LIMIT + 2)]
    paths = [create(client, token, len(body), sha256=hashlib.sha256(body).hexdigest()) for body in bodies]
    wires = [Wire(client.port, token) for _ in bodies]
    senders = [
        threading.Thread(target=wire.sock.sendall, args=(patch(wire, path, 0, len(body)) + body,))
        for wire, path, body in zip(wires, paths, bodies, strict=True)
    ]
    for sender in senders:
        sender.start()
    for wire, sender in zip(wires, senders, strict=True):
        status, head = wire.answer()
        sender.join()
        wire.sock.close()
        assert status == 204 and "upload-asset" in head


def test_what_a_slow_client_sent_is_recorded_while_it_sends(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 1000)
    wire.sock.sendall(patch(wire, path, 0, 1000) + b"a" * 300)
    deadline = time.monotonic() + 10
    while client("HEAD", path, headers(token)).offset < 300:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert client("PATCH", path, {**headers(token, Upload_Offset=300), **BODY}, b"b").status == 423
    assert client("DELETE", path, headers(token)).status == 423
    wire.sock.sendall(b"a" * 700)
    assert "upload-asset" in wire.answer()[1]


def test_expect_continue_is_asked_for_only_when_wanted(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 5)
    wire.sock.sendall(patch(wire, path, 3, 2, Expect="100-continue"))
    assert wire.answer()[0] == 409
    assert wire.is_closed()
    second = Wire(client.port, token)
    second.sock.sendall(patch(second, path, 0, 5, Expect="100-continue"))
    assert second.answer()[0] == 100
    second.sock.sendall(b"12345")
    assert second.answer()[0] == 204
    second.sock.close()


def test_an_early_refusal_is_heard_by_a_client_that_is_still_sending(
    wire: Wire, client: HttpClient, token: str
) -> None:
    path = create(client, token, MIB)
    wire.sock.sendall(patch(wire, path, 0, 8 * MIB))
    wire.sock.sendall(b"n" * (4 * MIB))  # More than the kernel's buffers hold: someone must be reading.
    status, head = wire.answer()
    assert status == 413 and "connection: close" in head
    assert wire.is_closed()


def test_a_chunked_body_needs_a_length(wire: Wire, client: HttpClient, token: str) -> None:
    path = create(client, token, 5)
    head = patch(wire, path, 0, 5).replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    wire.sock.sendall(head + b"5\r\n12345\r\n0\r\n\r\n")
    assert wire.answer()[0] == 411
    assert client("HEAD", path, headers(token)).offset == 0


def test_memory_does_not_grow_with_the_file(server: tuple[Server, Settings], client: HttpClient, token: str) -> None:
    """At most 8 MiB an upload, whatever its size."""
    assert server[0].process is not None
    worker = psutil.Process(server[0].process.pid).children()[0]
    highest = 0

    class Source(io.RawIOBase):
        """So many zeros, watching the worker while they are sent."""

        def __init__(self, size: int) -> None:
            self.left = size

        def read(self, size: int = -1) -> bytes:
            nonlocal highest
            highest = max(highest, worker.memory_info().rss)
            count = min(1 << 16, self.left)
            self.left -= count
            return bytes(count)

    def upload(size: int) -> None:
        path = create(client, token, size)
        sent = {**headers(token, Upload_Offset=0, Content_Length=size), **BODY}
        client.connection.request("PATCH", path, body=Source(size), headers=sent)
        with client.connection.getresponse() as response:
            assert response.status == 204 and response.headers["Upload-Asset"]

    upload(4 * MIB)  # Imports, pools and buffers that stay.
    before = highest = worker.memory_info().rss
    upload(96 * MIB)
    assert highest - before < 8 * MIB
