"""A real upload server in a process of its own, and a client that speaks plain HTTP to it or to the Flask app."""

import http.client
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from flask import Flask
from loopback import free_port, wait_for_port

from tenants import tickets

ROOT = Path(__file__).parent.parent
BODY = {"Content-Type": "application/offset+octet-stream"}


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def offset(self) -> int:
        return int(self.headers["Upload-Offset"])


class AppClient:
    """Requests to the Flask app, in this process."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        # werkzeug leaves Content-Length out when there is no body; HTTP clients send 0.
        sized = {"CONTENT_LENGTH": str(len(body))} if method in ("PATCH", "POST") else {}
        with self._client.open(
            path, method=method, headers=dict(headers), data=body or None, environ_overrides=sized
        ) as response:
            return Answer(response.status_code, response.headers, response.data)


@dataclass
class HttpClient:
    """Requests over one kept-alive connection to 127.0.0.1."""

    port: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def close(self) -> None:
        self.connection.close()

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        self.connection.request(method, path, body=body or None, headers=dict(headers))
        with self.connection.getresponse() as response:
            return Answer(response.status, response.headers, response.read())


class Server:
    """gunicorn with the upload app. `kill` is `kill -9` of arbiter and workers; `start` again on the same port."""

    def __init__(self, data_dir: Path, *, workers: int = 1, port: int = 0, **environment: str) -> None:
        self.port = port or free_port()
        self.workers = workers
        self.environment = {
            **os.environ,
            "VITRINE_DATA_DIR": str(data_dir),
            "VITRINE_UPLOAD_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/files/"

    def command(self) -> list[str]:
        conf = str(ROOT / "uploader/gunicorn_conf.py")
        bind = f"127.0.0.1:{self.port}"
        return [sys.executable, "-m", "gunicorn", "-c", conf, "--bind", bind, "-w", str(self.workers), "wsgi:upload"]

    def start(self) -> "Server":
        self.process = subprocess.Popen(
            self.command(), cwd=ROOT, env=self.environment, start_new_session=True, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, 40)
        return self

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, number)
            self.process.wait(30)
            self.process = None

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def ticket(secret: str, tenant: str, album: str, *, max_bytes: int = 1 << 40, hours: float = 1) -> str:
    return tickets.mint(
        secret,
        tenant=tenant,
        album=album,
        max_bytes=max_bytes,
        now=datetime.now(UTC),
        lifetime=timedelta(hours=hours),
    )


def headers(ticket: str, **more: str | int) -> dict[str, str]:
    """The headers of every tus request; `Upload_Offset=3` becomes `Upload-Offset: 3`."""
    return {
        "Authorization": f"Bearer {ticket}",
        "Tus-Resumable": "1.0.0",
        **{name.replace("_", "-"): str(value) for name, value in more.items()},
    }


def named(filename: str, **more: str) -> str:
    """An Upload-Metadata header."""
    pairs = {"filename": filename, **more}
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def announce(port: int, bearer: str, size: int, name: str) -> str:
    """Create an upload; its path."""
    asked = headers(bearer, Upload_Length=size, Upload_Metadata=named(name))
    with closing(HttpClient(port)) as client:
        answer = client("POST", "/files/", asked)
    assert answer.status == 201
    return answer.headers["Location"].partition("/files/")[2]


def send_from_offset(port: int, bearer: str, upload: str, data: bytes) -> str | None:
    """One PATCH with all that is missing; the asset's id once the upload is complete. Raises as HTTP clients do."""
    with closing(HttpClient(port)) as client:
        offset = client("HEAD", f"/files/{upload}", headers(bearer)).offset
        asked = {**headers(bearer, Upload_Offset=offset), **BODY}
        answer = client("PATCH", f"/files/{upload}", asked, data[offset:])
    return answer.headers.get("Upload-Asset") if answer.status == 204 else None


def patiently(port: int, bearer: str, upload: str, data: bytes) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if asset := send_from_offset(port, bearer, upload, data):
                return asset
        except (OSError, KeyError):
            pass  # The server is down, or holds the upload for another request: as a tus client does, try again.
        time.sleep(0.3)
    raise TimeoutError(upload)
