"""Our upload server beside npm's @tus/server with FileStore, in one run: `python tests/bench/upload.py`.

Both get the same requests from the same client over loopback, one worker each. Ours hashes what it stores (SHA-256),
syncs it to disk and keeps its state in SQLite; the peer does none of that, so the ratios understate ours.
`VITRINE_BENCH_BYTES` (512 MiB), `VITRINE_BENCH_ROUNDS` (5), `VITRINE_BENCH_SLOW` (300), `VITRINE_BENCH_DIR` (where
both store: the disk of the default temporary folder, or `/dev/shm` to leave the disk out of it).
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from flask_migrate import upgrade

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from loopback import free_port, wait_for_port  # noqa: E402
from upload_server import Server, headers, named, ticket  # noqa: E402

import wsgi  # noqa: E402
from infra.settings import load  # noqa: E402
from tenants import catalog, registry  # noqa: E402
from tenants.db import db  # noqa: E402
from tenants.scope import enter, ports  # noqa: E402

MIB = 1024 * 1024
SIZE = int(os.environ.get("VITRINE_BENCH_BYTES", 512 * MIB))
ROUNDS = int(os.environ.get("VITRINE_BENCH_ROUNDS", 5))
SLOW = int(os.environ.get("VITRINE_BENCH_SLOW", 300))
FOLDER = os.environ.get("VITRINE_BENCH_DIR")
SLOW_SECONDS = 12.0
SLOW_PIECE = 64 * 1024  # Every half second: an uplink of 1 Mbit/s.
SLOW_PAUSE = 0.5


@dataclass
class Target:
    """A running server: how to reach it, what to send along, and its processes."""

    name: str
    port: int
    sent: dict[str, str]
    pid: int

    def workers(self) -> list[psutil.Process]:
        process = psutil.Process(self.pid)
        return [process, *process.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(worker.cpu_times()[:2]) for worker in self.workers())

    def rss(self) -> int:
        return max(worker.memory_info().rss for worker in self.workers())


# --- The client: a raw socket and sendfile, so that what is measured is the server ----------------------------------


def request(sock: socket.socket, method: str, path: str, sent: dict[str, str], size: int = 0) -> None:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {size}"]
    lines += [f"{name}: {value}" for name, value in sent.items()]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())


def answer(sock: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and headers; the body is read and dropped."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    got = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    left = int(got.get("content-length", 0)) - len(body)
    while left > 0:
        left -= len(_more(sock))
    return int(first.split()[1]), got


def _more(sock: socket.socket) -> bytes:
    piece = sock.recv(65536)
    if not piece:
        raise ConnectionError("closed before the answer")
    return piece


def connect(target: Target) -> socket.socket:
    return socket.create_connection(("127.0.0.1", target.port), timeout=120)


def create(target: Target, size: int) -> str:
    with connect(target) as sock:
        request(
            sock,
            "POST",
            "/files/" if target.name == "vitrine" else "/files",
            {**target.sent, "Upload-Length": str(size)},
        )
        status, got = answer(sock)
    assert status == 201, status
    return "/files/" + got["location"].rpartition("/")[2]


PATCH = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


def upload(target: Target, file: Path) -> float:
    """Seconds from the head of the PATCH to its answer."""
    size = file.stat().st_size
    path = create(target, size)
    with connect(target) as sock, file.open("rb") as source:
        began = time.perf_counter()
        request(sock, "PATCH", path, {**target.sent, **PATCH}, size)
        sock.sendfile(source)
        status, got = answer(sock)
        took = time.perf_counter() - began
    assert status == 204 and int(got["upload-offset"]) == size, (status, got)
    return took


# --- What is measured ------------------------------------------------------------------------------------------------


@dataclass
class Speed:
    seconds: float
    cpu: float
    growth: int


def throughput(targets: list[Target], file: Path) -> dict[str, Speed]:
    """The servers take turns, so that a busy moment of the machine hits both. The best of the rounds counts, as in
    `timeit`: whatever else runs can only slow a round down. RSS growth is the largest."""
    runs: dict[str, list[Speed]] = {target.name: [] for target in targets}
    for target in targets:
        upload(target, file)  # Not counted: imports, connection pools, the just-in-time compiler.
    for _ in range(ROUNDS):
        for target in targets:
            os.sync()
            before, cpu = target.rss(), target.cpu()
            with peak(target.rss) as highest:
                seconds = upload(target, file)
            runs[target.name].append(Speed(seconds, target.cpu() - cpu, highest() - before))
    return {
        name: Speed(
            min(run.seconds for run in each),
            min(run.cpu for run in each),
            max(run.growth for run in each),
        )
        for name, each in runs.items()
    }


@contextlib.contextmanager
def peak(measure: Callable[[], int]) -> Iterator[Callable[[], int]]:
    """The largest value of `measure` while the block runs."""
    highest, stop = measure(), threading.Event()

    def watch() -> None:
        nonlocal highest
        while not stop.wait(0.02):
            highest = max(highest, measure())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: highest
    finally:
        stop.set()
        watcher.join()


@dataclass
class Slow:
    p50: float
    p99: float
    rss_each: float
    cpu: float
    asked: int


def slow_uploads(target: Target) -> Slow:
    """Milliseconds of a health check while hundreds of clients dribble."""
    size = int(SLOW_PIECE * (SLOW_SECONDS / SLOW_PAUSE + 8))
    before = target.rss()
    with contextlib.ExitStack() as stack:
        socks = []
        for _ in range(SLOW):
            path = create(target, size)
            sock = stack.enter_context(connect(target))
            request(sock, "PATCH", path, {**target.sent, **PATCH}, size)
            socks.append(sock)
        cpu = target.cpu()
        stop = threading.Event()
        dribbler = threading.Thread(target=dribble, args=(socks, stop))
        dribbler.start()
        time.sleep(1)
        times = ask_health(target, SLOW_SECONDS - 2)
        each, used = (target.rss() - before) / SLOW, target.cpu() - cpu
        stop.set()
        dribbler.join()
    return Slow(quantile(times, 0.5), quantile(times, 0.99), each, used, len(times))


def dribble(socks: list[socket.socket], stop: threading.Event) -> None:
    """Each socket gets a piece every `SLOW_PAUSE`, evenly spread over that time."""
    piece = b"\0" * SLOW_PIECE
    began = time.perf_counter()
    turn = 0
    while not stop.is_set():
        for number, sock in enumerate(socks):
            due = began + turn * SLOW_PAUSE + number * SLOW_PAUSE / len(socks)
            if (early := due - time.perf_counter()) > 0.002:
                time.sleep(early)
            sock.sendall(piece)
        turn += 1


def ask_health(target: Target, seconds: float) -> list[float]:
    times = []
    deadline = time.perf_counter() + seconds
    with connect(target) as sock:
        while time.perf_counter() < deadline:
            began = time.perf_counter()
            request(sock, "GET", "/healthz", {})
            answer(sock)
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.005)
    return times


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


# --- The servers -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[Target]:
    settings = load(data_dir=folder)
    app = wsgi.create_app(settings)
    with app.app_context():
        upgrade(directory=str(ROOT / "infra/migrations"))
        session, now = db.session(), ports().clock.now()
        tenant = registry.create(session, "bench", "Bench", now=now)
        enter(tenant)
        album = catalog.create_album(session, tenant.id, "Bench", now=now)
        token = ticket(settings.secret_key.get_secret_value(), tenant.id, album.id)
        session.commit()
        db.session.remove()
        db.engine.dispose()
    sent = {**headers(token), "Upload-Metadata": named("bench.mp4")}
    with Server(folder) as server:
        assert server.process is not None
        time.sleep(2)
        yield Target("vitrine", server.port, sent, server.process.pid)


@contextlib.contextmanager
def peer(folder: Path) -> Iterator[Target]:
    port = free_port()
    script = Path(__file__).parent / "tus_peer.mjs"
    process = subprocess.Popen(["node", str(script), str(port), str(folder)])
    try:
        wait_for_port(port)
        sent = {"Tus-Resumable": "1.0.0", "Upload-Metadata": named("bench.mp4")}
        yield Target("@tus/server", port, sent, process.pid)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-", dir=FOLDER) as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        file = folder / "source.bin"
        with file.open("wb") as sink:
            for _ in range(SIZE // MIB):
                sink.write(os.urandom(MIB))
        for part in ("peer", "ours"):
            (folder / part).mkdir()
        target = {
            t.name: t for t in (stack.enter_context(peer(folder / "peer")), stack.enter_context(ours(folder / "ours")))
        }
        speeds = throughput(list(target.values()), file)
        print(f"One upload of {SIZE // MIB} MiB over loopback, one worker, best of {ROUNDS}")
        for label, speed in speeds.items():
            print(
                f"  {label:12} {SIZE / MIB / speed.seconds:7.0f} MiB/s  {speed.cpu:6.2f} CPU s"
                f"  {speed.growth / MIB:6.1f} MiB RSS growth"
            )
        theirs, mine = speeds["@tus/server"], speeds["vitrine"]
        print(f"  RATIO throughput {theirs.seconds / mine.seconds:.2f}x, CPU {mine.cpu / theirs.cpu:.2f}x")
        print(f"{SLOW} slow uploads ({SLOW_PIECE // 1024} KiB every {SLOW_PAUSE} s each), health check")
        slow = {label: slow_uploads(each) for label, each in target.items()}
        for label, seen in slow.items():
            print(
                f"  {label:12} p50 {seen.p50:6.2f} ms  p99 {seen.p99:6.2f} ms  {seen.rss_each / 1024:6.0f} KiB RSS each"
                f"  {seen.cpu:5.2f} CPU s  ({seen.asked} asked)"
            )
        print(f"  RATIO p99 {slow['vitrine'].p99 / slow['@tus/server'].p99:.2f}x")


if __name__ == "__main__":
    main()
