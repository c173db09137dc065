# /// script
# requires-python = ">=3.11"
# dependencies = ["albums-api-client", "click>=8.1", "tuspy>=1.1"]
#
# [tool.uv.sources]
# albums-api-client = { path = "../var/api-client", editable = true }
# ///
"""A folder of photos and videos into an album of a site elsewhere, through its API and its upload host.

A program for other machines: it imports nothing of the server's. The API is spoken to by the client that
`make api-client` generates from the description, files are sent by tuspy, and uv gives it an environment of its own
(`uv run --script client/import_folder.py --help`). What the album has already, by SHA-256, is not sent again: whatever
stopped a run, the next one does the rest.
"""

import hashlib
import json
import mimetypes
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
from albums_api_client import AuthenticatedClient
from albums_api_client.api.albums import create_album, list_albums
from albums_api_client.api.assets import list_assets
from albums_api_client.api.uploads import create_upload_ticket
from albums_api_client.models import (
    Album,
    AlbumNew,
    AlbumNewVisibility,
    AlbumPage,
    Asset,
    AssetPage,
    Problem,
    Ticket,
    TicketNew,
)
from albums_api_client.types import UNSET
from requests import RequestException
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

MORE_TYPES = {".heic": "image/heic", ".heif": "image/heif", ".avif": "image/avif", ".webp": "image/webp"}
CHUNK = 16 * 1024 * 1024
PAGE = 200
ATTEMPTS = 6
DONE = ("ready", "rejected", "failed")
Found = TypeVar("Found")


class Refused(Exception):
    """What the server does not take, in its own words."""


class Site:
    """One tenant's API. Requests that come too often or too early are made again when the server says."""

    def __init__(self, origin: str, token: str) -> None:
        self._client = AuthenticatedClient(base_url=origin.rstrip("/"), token=token, timeout=60)

    def album(self, title: str, visibility: str) -> Album:
        """The newest one of that title, or a new one."""
        for album in self._pages(list_albums.sync_detailed, AlbumPage):
            if album.title == title:
                return album
        body = AlbumNew(title=title, visibility=AlbumNewVisibility(visibility))
        return self._ask(create_album.sync_detailed, Album, body=body, idempotency_key=uuid.uuid4().hex)

    def assets(self, album: Album) -> Iterator[Asset]:
        return self._pages(list_assets.sync_detailed, AssetPage, album_id=album.id)

    def ticket(self, album: Album) -> Ticket:
        key = uuid.uuid4().hex
        return self._ask(
            create_upload_ticket.sync_detailed, Ticket, album_id=album.id, body=TicketNew(), idempotency_key=key
        )

    def _pages(self, call: Callable[..., Any], kind: type[Any], **about: Any) -> Iterator[Any]:
        cursor: Any = UNSET
        while cursor is not None:
            page = self._ask(call, kind, limit=PAGE, cursor=cursor, **about)
            yield from page.items
            cursor = page.next_

    def _ask(self, call: Callable[..., Any], kind: type[Found], **about: Any) -> Found:
        for attempt in range(ATTEMPTS):
            try:
                answer = call(client=self._client, **about)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS - 1:
                    raise Refused(f"{self._client._base_url} does not answer: {error}") from None
                time.sleep(2**attempt)
                continue
            if isinstance(answer.parsed, kind):
                return answer.parsed
            if answer.status_code not in (429, 503):
                break
            time.sleep(int(answer.headers.get("Retry-After", "5")))
        raise Refused(_reason(answer.parsed, answer.status_code))


def _reason(problem: Any, status: int) -> str:
    if not isinstance(problem, Problem):
        return f"The server answers {status}, and not as this API does. Is the address that of an album site?"
    return problem.detail if isinstance(problem.detail, str) else problem.title


class Upload:
    """Files into one album. A ticket serves many files; a new one is asked for before it ends."""

    def __init__(self, site: Site, album: Album) -> None:
        self._site, self._album = site, album
        self._ticket: Ticket | None = None

    def send(self, path: Path, sha256: str) -> None:
        """Raises `Refused`. A connection that breaks is taken up where it was."""
        if self._ticket is None or self._ticket.expires_at - datetime.now(UTC) < timedelta(minutes=10):
            self._ticket = self._site.ticket(self._album)
        size = path.stat().st_size
        if not size:
            raise Refused("The file is empty.")
        if size > self._ticket.max_bytes:
            raise Refused(f"A file may have {self._ticket.max_bytes:,} bytes; this one has {size:,}.")
        client = TusClient(self._ticket.endpoint, headers={"Authorization": f"Bearer {self._ticket.ticket}"})
        told = {"filename": path.name, "filetype": media_type(path), "sha256": sha256}
        try:
            with path.open("rb") as file:
                client.uploader(
                    file_stream=file, chunk_size=CHUNK, metadata=told, retries=ATTEMPTS, retry_delay=2
                ).upload()
        except TusCommunicationError as error:
            raise Refused(_told_by_upload_host(error)) from None
        except RequestException as error:
            raise Refused(f"{self._ticket.endpoint} does not answer: {error}") from None


def _told_by_upload_host(error: TusCommunicationError) -> str:
    try:
        problem = json.loads(error.response_content or b"")
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"The upload host does not answer as it should: {error}"


def media_type(path: Path) -> str:
    return MORE_TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or ""


def media_files(folder: Path) -> list[Path]:
    """Photos and videos, sub-folders included. Hidden files and links are left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    shown = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in shown if media_type(path).partition("/")[0] in ("image", "video"))


def send_all(site: Site, album: Album, paths: list[Path]) -> bool:
    """Whether all of them are there."""
    upload, known = Upload(site, album), {asset.sha256 for asset in site.assets(album)}
    new, refused = 0, []
    with click.progressbar(paths, label=f"Sending {len(paths)} files", file=sys.stderr) as bar:
        for path in bar:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 in known:
                continue
            try:
                upload.send(path, sha256)
            except Refused as why:
                refused.append(f"refused: {path}: {why}")
                continue
            known.add(sha256)
            new += 1
    click.echo(f"{new} new, {len(paths) - new - len(refused)} known already")
    for line in refused:
        click.echo(line)
    return not refused


def wait_for(site: Site, album: Album) -> bool:
    """Until everything in the album is processed; whether all of it could be."""
    assets = list(site.assets(album))
    while any(asset.state.value not in DONE for asset in assets):
        time.sleep(3)
        assets = list(site.assets(album))
    wrong = [asset for asset in assets if asset.state.value != "ready"]
    for asset in wrong:
        click.echo(f"{asset.state.value}: {asset.filename}: {asset.reason}")
    return not wrong


def find_localhost() -> None:
    """Names below `localhost` are this machine (RFC 6761, 6.3). Browsers know that, not every resolver does."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        return look_up("127.0.0.1" if name.endswith(".localhost") else host, *more, **named)

    socket.getaddrinfo = getaddrinfo


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", "origin", required=True, metavar="ADDRESS", help="The site, as https://studio.example.com.")
@click.option(
    "--token",
    envvar="ALBUM_SITE_TOKEN",
    required=True,
    help="With albums:read, albums:write, uploads:write. $ALBUM_SITE_TOKEN.",
)
@click.option("--album", "title", default="", help="Its title; the folder's name by default. Made if missing.")
@click.option("--visibility", type=click.Choice([each.value for each in AlbumNewVisibility]), default="private")
@click.option("--wait", is_flag=True, help="Until everything is processed.")
def main(folder: Path, origin: str, token: str, title: str, visibility: str, wait: bool) -> None:
    """Send the photos and videos of FOLDER to an album. Running it twice sends nothing twice."""
    paths = media_files(folder)
    if not paths:
        raise click.ClickException(f"There are no photos or videos in {folder}.")
    find_localhost()
    site = Site(origin, token)
    try:
        album = site.album(title or folder.resolve().name, visibility)
        complete = send_all(site, album, paths)
        complete = (not wait or wait_for(site, album)) and complete
    except Refused as why:
        raise click.ClickException(str(why)) from None
    click.echo(album.url)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
