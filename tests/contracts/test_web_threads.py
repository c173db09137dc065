"""The web fleet's threads on the pinned gunicorn, which leans on its private names: a real server, real sockets."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from loopback import end_with_the_tests, free_port, wait_for_port

ROOT = Path(__file__).parents[2]
SILENT = 40
"""Of gunicorn's own worker with two threads they would keep the last one waiting for 100 s."""
PATIENCE = 20
CONFIGURATION = f"""
import sys
sys.path[:0] = {[str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/contracts")]!r}
from webapp import threads
threads.STALLED_SECONDS = 1.0
worker_class, workers, threads, keepalive, control_socket_disable = threads.Threads, 1, 2, 60, True
"""


def app(environ: dict[str, object], start_response: object) -> Iterator[bytes]:
    """What the server in this file serves: as much as nobody's socket holds, or the length of what was sent."""
    start_response("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
    if environ["PATH_INFO"] == "/much":
        yield from (bytes(1 << 20) for _ in range(64))
    yield str(len(environ["wsgi.input"].read())).encode()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port and the log of one process with two threads, which waits a second for who stalls."""
    folder = tmp_path_factory.mktemp("threads")
    port, log, conf = free_port(), folder / "log", folder / "conf.py"
    conf.write_text(CONFIGURATION)
    run = [sys.executable, "-m", "gunicorn", "-c", str(conf), "--bind", f"127.0.0.1:{port}", "test_web_threads:app"]
    with log.open("wb") as out:
        process = subprocess.Popen(run, stdout=out, stderr=out, preexec_fn=end_with_the_tests)
        try:
            wait_for_port(port)
            yield port, log
        finally:
            process.terminate()
            process.wait()


def connect(port: int, *said: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    client.sendall(b"\r\n".join(said))
    return client


def answered(port: int) -> bool:
    with connect(port, b"GET / HTTP/1.1", b"Host: x", b"Connection: close", b"", b"") as client:
        return b"".join(iter(lambda: client.recv(65536), b"")).startswith(b"HTTP/1.1 200")


def test_connections_that_say_nothing_hold_no_thread(server: tuple[int, Path]) -> None:
    port, log = server
    with ExitStack() as spare:
        silent = [spare.enter_context(connect(port)) for _ in range(SILENT)]
        assert answered(port)
        silent[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # It speaks after all.
        assert silent[-1].recv(65536).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    "begun",
    [
        (b"GET / HTTP/1.1", b"Host:"),
        (b"POST / HTTP/1.1", b"Host: x", b"Content-Length: 9", b"", b"half"),
        (b"GET /much HTTP/1.1", b"Host: x", b"", b""),
    ],
    ids=["half a head", "half a body", "an answer that nobody takes"],
)
def test_who_stalls_is_let_go(server: tuple[int, Path], begun: tuple[bytes, ...]) -> None:
    port, log = server
    with ExitStack() as stalled:
        for _ in range(2):
            stalled.enter_context(connect(port, *begun))
        assert answered(port)
    assert "Traceback" not in log.read_text()


def test_a_connection_serves_one_request_after_the_other(server: tuple[int, Path]) -> None:
    port, _ = server
    with connect(port) as client:
        for length in (0, 7, 3):
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length)
            answer = client.recv(65536)
            while b"0\r\n\r\n" not in answer:
                answer += client.recv(65536)
            assert f"\r\n{length}\r\n".encode() in answer
