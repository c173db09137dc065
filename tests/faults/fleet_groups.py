"""The four fleets of a deployment on AWS as process groups, each with the environment that its machines would have."""

import http.client
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from sqlalchemy import select
from stack import Stack, eventually
from upload_server import announce, patiently

from tenants.catalog import Asset, AssetState
from tenants.scope import open_site, ports

SECRET = "only-for-tests-" * 3
GROUPS = {
    "web": ("web",),
    "upload": ("upload", "relay"),
    "processor": ("redis", "bridge", "worker"),
    "keeper": ("reconcile", "sweep"),
}
# What of a deployment each fleet is told: the ports that its processes use, and no others.
PORTS = {
    "web": ("postgres", "s3", "simpledb"),
    "upload": ("postgres", "s3", "sqs"),
    "processor": ("postgres", "s3", "sqs", "simpledb", "cloudwatch"),
    "keeper": ("postgres", "s3", "sqs", "simpledb"),
}
# What every process has of the machine, and no more: nothing of these tests' own environment reaches a fleet.
MACHINE = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
MEDIA = re.compile(r"/m/\w+/[\w.~-]+/[0-9a-z]+/\d+/[\w./-]+")


@dataclass
class Groups:
    """`ports` has the variables of each port that is not embedded. Without `apart` all share one data folder."""

    folder: Path
    ports: Mapping[str, Mapping[str, str]]
    apart: bool
    stacks: dict[str, Stack] = field(default_factory=dict)

    def __enter__(self) -> "Groups":
        for name, fleets in GROUPS.items():
            given = {"VITRINE_SECRET_KEY": SECRET, "VITRINE_WORKERS": "1", "VITRINE_VISIBILITY": "5"}
            for port in PORTS[name]:
                given |= self.ports.get(port, {})
            folder = self.folder / name if self.apart else self.folder
            self.stacks[name] = Stack(folder, fleets=fleets, environment=given, inherited=MACHINE)
        try:
            self._each(Stack.__enter__)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._each(Stack.stop)

    def _each(self, act: Callable[[Stack], object]) -> None:
        """At once: as machines do it."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(act, self.stacks.values()))

    def upload(self, ticket: str, path: Path) -> str:
        """A tus upload that goes on until it is through; the asset's id."""
        port, data = self.stacks["upload"].upload_port, path.read_bytes()
        return patiently(port, ticket, announce(port, ticket, len(data), path.name), data)

    def get(self, path: str, slug: str = "alpha") -> bytes:
        """The body of a page or a media object of the tenant, which must be a 200."""
        port = self.stacks["web"].web_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": f"{slug}.localhost:{port}"})
            with connection.getresponse() as answer:
                body = answer.read()
                assert answer.status == 200, (path, answer.status, body[:300])
                return body
        finally:
            connection.close()

    def media_on(self, page: str) -> dict[str, bytes]:
        """Everything that a browser may load for the page, by its address: pictures, playlists and what those name."""
        loaded: dict[str, bytes] = {}
        waiting = sorted(set(MEDIA.findall(unescape(self.get(page).decode()))))
        while waiting:
            address = waiting.pop()
            if address not in loaded:
                loaded[address] = self.get(address)
                if address.endswith(".m3u8"):
                    waiting += [urljoin(address, name) for name in named_in(loaded[address].decode())]
        return loaded

    def logs(self) -> str:
        return "\n".join(
            f"--- {fleet}\n{stack.log(fleet)[-3000:]}" for stack in self.stacks.values() for fleet in stack.fleets
        )


def named_in(playlist: str) -> Iterator[str]:
    """Addresses in an HLS playlist (RFC 8216): lines that are no tag, and URI attributes."""
    for line in playlist.splitlines():
        if line and not line.startswith("#"):
            yield line
        yield from re.findall(r'URI="([^"]+)"', line)


def until_ready(groups: Groups, tenant: str, ids: list[str]) -> None:
    """Every asset is ready and no message is left."""

    def ready() -> bool:
        with open_site(tenant) as site:
            states = set(site.session.scalars(select(Asset.state).where(Asset.id.in_(ids))))
        depth = ports().queue.depth()
        return states == {AssetState.READY} and depth.waiting + depth.in_flight == 0

    try:
        eventually(ready, 180)
    except TimeoutError:
        pytest.fail(f"not ready in time\n{groups.logs()}")
    assert ports().queue.dead() == []
