"""CPU of sending parts to S3 over TLS: ours beside boto3's `upload_part` as it comes. The receiver throws all away.

Prints seconds of CPU for a GiB in 7 MiB parts and the ratio; the network and the receiver are not in the figure.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from infra.aws.client import Clients
from infra.aws.s3_bucket import Bucket, checksum

PART = 7 * 1024 * 1024
PARTS = 40
ROUNDS = 3


def swallow(connection: socket.socket) -> None:
    """HTTP/1.1, as far as PUT and POST need it: any body is read, counted out by its length, and answered."""
    buffer = memoryview(bytearray(1 << 20))
    with connection, connection.makefile("rb", buffering=0) as raw:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                if not (got := raw.read(65536)):
                    return
                pending += got
            head, _, pending = pending.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            if fields.get("expect") == "100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if fields.get("transfer-encoding") == "chunked":
                end = pending[-7:]
                while not end.endswith(b"\r\n0\r\n\r\n"):
                    count = raw.readinto(buffer) or sys.exit("the client went away")
                    end = (end + bytes(buffer[max(0, count - 7) : count]))[-7:]
            else:
                left = int(fields.get("content-length", 0)) - len(pending)
                while left > 0:
                    left -= raw.readinto(buffer[: min(left, len(buffer))]) or sys.exit("the client went away")
            pending = b""
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')


def serve(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            wrapped = context.wrap_socket(connection, server_side=True)
            threading.Thread(target=swallow, args=(wrapped,), daemon=True).start()


def cpu(send: Callable[[int], Any]) -> float:
    """Seconds of this process's CPU for a GiB, the best of some rounds."""
    send(1)
    best = float("inf")
    for _ in range(ROUNDS):
        before = time.process_time()
        for number in range(PARTS):
            send(number + 1)
        best = min(best, time.process_time() - before)
    return best * (1 << 30) / (PART * PARTS)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = str(Path(folder, "c.pem")), str(Path(folder, "k.pem"))
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
        subprocess.run([*command, *subject], check=True, capture_output=True)
        sink = subprocess.Popen([sys.executable, __file__, "serve", certificate, key], stdout=subprocess.PIPE)
        try:
            assert sink.stdout is not None
            compare(f"https://127.0.0.1:{int(sink.stdout.readline())}", certificate)
        finally:
            sink.kill()
            sink.wait()


def compare(endpoint: str, certificate: str) -> None:
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_CA_BUNDLE=certificate)
    body = bytearray(os.urandom(PART))
    whole = bytes(body)
    where = {"Bucket": "bench", "Key": "k", "UploadId": "u"}
    plain = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    bucket = Bucket(Clients(region="us-east-1", endpoint_url=endpoint), "bench")
    theirs = cpu(lambda number: plain.upload_part(PartNumber=number, Body=whole, **where))
    ours = cpu(lambda number: bucket.client.upload_part(PartNumber=number, Body=body, **checksum(body), **where))
    print(f"boto3 {boto3.__version__}, upload_part as it comes   {theirs:.2f} s of CPU for a GiB")
    print(f"Vitrine, checksum in a header            {ours:.2f} s of CPU for a GiB")
    print(f"ratio                                    {ours / theirs:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3])
    else:
        main()
