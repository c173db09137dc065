"""A second S3 server that is nobody's double of AWS: Ceph's radosgw, over a cluster of one monitor and one OSD.

Debian's packages (16.2, "Pacific"), all on free ports of the loopback interface, in a folder that is removed
afterwards. Objects are in the OSD's memory (`memstore`): the gateway may be killed, the OSD's death ends all. What it
does otherwise than AWS is in docs/adr/0110-a-second-s3-server.md.
"""

import atexit
import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import in_memory
import pytest
from in_memory import GIB
from loopback import end_with_the_tests, free_port, wait_for_port

CLASSES = ("REDUCED_REDUNDANCY",)  # Besides STANDARD.
KEY = SECRET = "double"

_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}/0
mon initial members = a
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
# Without keys there is no encryption, which the gateway alone would insist on.
ms mon client mode = crc
run dir = {folder}
admin socket =
pid file = {folder}/$type.$id.pid
log file = {folder}/$type.$id.log
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw gc obj min wait = 1
rgw sts key = sixteen-letters-
rgw s3 auth use sts = true
"""

ROLE = "arn:aws:iam:::role/app"  # What the app's machines would have: everything, until a session policy narrows it.
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/tests"]}, "Action": ["sts:AssumeRole"]}
    ],
}
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}


class Gateway:
    """`kill` is `kill -9` of the gateway alone; `start` brings it back at the same `url`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mon_port, self._port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._cluster: list[subprocess.Popen[bytes]] = []
        self._gateway: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the cluster, its user and its storage classes, and start all of it."""
        if shutil.which("radosgw") is None:
            pytest.fail("Ceph's radosgw is not installed: `make setup-test`, or deselect with -k 'not radosgw'")
        fsid = str(uuid.uuid4())
        (self._folder / "mon").mkdir()
        (self._folder / "osd").mkdir()
        facts = {"fsid": fsid, "folder": self._folder, "mon_port": self._mon_port, "port": self._port}
        (self._folder / "ceph.conf").write_text(_CONFIGURATION.format(**facts))
        monmap = self._folder / "monmap"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{self._mon_port}]", monmap)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        self._cluster.append(self._start("ceph-mon", "-i", "a"))
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", fsid)
        self._run("ceph", "osd", "new", fsid, "0")
        self._run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=one")
        self._cluster.append(self._start("ceph-osd", "-i", "0"))
        user = ("--uid=tests", "--display-name=tests", f"--access-key={KEY}", f"--secret-key={SECRET}")
        self._run("radosgw-admin", "user", "create", *user)
        self._run(
            "radosgw-admin", "role", "create", "--role-name=app", f"--assume-role-policy-doc={json.dumps(_TRUST)}"
        )
        policy = f"--policy-doc={json.dumps(_EVERYTHING)}"
        self._run("radosgw-admin", "role-policy", "put", "--role-name=app", "--policy-name=all", policy)
        for name in CLASSES:
            place = ("--placement-id=default-placement", f"--storage-class={name}")
            self._run("radosgw-admin", "zonegroup", "placement", "add", "--rgw-zonegroup=default", *place)
            pool = "--data-pool=default.rgw.buckets.data"
            self._run("radosgw-admin", "zone", "placement", "add", "--rgw-zone=default", pool, *place)
        self.start()

    def start(self) -> None:
        self._gateway = self._start("radosgw", "-n", "client.admin")
        wait_for_port(self._port, seconds=60)

    def kill(self) -> None:
        if self._gateway is not None:
            self._gateway.kill()
            self._gateway.wait()

    def stop(self) -> None:
        """Nothing is to be kept, so nobody is asked to finish."""
        self.kill()
        for process in reversed(self._cluster):
            process.kill()
            process.wait()

    def _start(self, program: str, *arguments: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command(program, *arguments, "-f"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_the_tests,
        )

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def _command(self, program: str, *arguments: object) -> list[str]:
        return [program, "-c", str(self._folder / "ceph.conf"), *map(str, arguments)]


@contextmanager
def running() -> Iterator[Gateway]:
    """A gateway for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="vitrine-radosgw-", dir=in_memory.place(2 * GIB)) as folder:
        gateway = Gateway(Path(folder))
        try:
            gateway.create()
            yield gateway
        finally:
            gateway.stop()


@cache
def shared() -> Gateway:
    """The gateway of the whole run, started when first asked for; each test makes a bucket of its own on it."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())
