"""tus 1.0.0, verb by verb, against the Flask app and against gunicorn with its raw socket reader."""

import hashlib
import json
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import World
from flask import Flask
from upload_server import BODY, Answer, AppClient, HttpClient, Server, headers, named, ticket

import wsgi
from infra.settings import Settings, load
from tenants.catalog import Asset
from tenants.db import db
from tenants.names import original_key
from tenants.outbox import Outbox
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent

Send = Callable[..., Answer]


@dataclass
class Host:
    """The host under test, and a look into what it stored."""

    send: Send
    settings: Settings
    world: World

    @property
    def ticket(self) -> str:
        return self.mint()

    def mint(self, tenant: str = "", album: str = "", **more: float) -> str:
        secret = self.settings.secret_key.get_secret_value()
        return ticket(secret, tenant or self.world.alpha, album or self.world.alpha_album, **more)  # type: ignore[arg-type]

    def create(self, length: int, filename: str = "a.jpg", **more: str) -> str:
        made = self.send(
            "POST", "/files/", headers(self.ticket, Upload_Length=length, Upload_Metadata=named(filename), **more)
        )
        assert made.status == 201, made.body
        return made.headers["Location"]

    def patch(self, path: str, offset: int, data: bytes, **more: str | int) -> Answer:
        return self.send("PATCH", path, {**headers(self.ticket, Upload_Offset=offset, **more), **BODY}, data)

    def head(self, path: str) -> Answer:
        return self.send("HEAD", path, headers(self.ticket))

    def stored(self, asset_id: str) -> tuple[str, bytes]:
        """File name and bytes of an asset."""
        app = wsgi.core(self.settings)
        with app.app_context():
            with open_site(self.world.alpha) as site:
                asset = site.session.get(Asset, (self.world.alpha, asset_id))
                assert asset is not None
                key = original_key(self.world.alpha, asset.id, asset.sha256)
                with site.blobs.open(key) as stream:
                    found = asset.filename, stream.read()
            db.engine.dispose()
        return found


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]
) -> Iterator[tuple[Server, Settings]]:
    folder = tmp_path_factory.mktemp("tus")
    shutil.copyfile(populated[0], folder / "vitrine.db")
    settings = load(data_dir=folder)
    with Server(folder) as server:
        yield server, settings


@pytest.fixture(params=["app", "gunicorn"])
def host(request: pytest.FixtureRequest, world: World) -> Iterator[Host]:
    if request.param == "app":
        yield Host(AppClient(request.getfixturevalue("upload")), request.getfixturevalue("settings"), world)
    else:
        server, settings = request.getfixturevalue("server")
        client = HttpClient(server.port)
        yield Host(client, settings, world)
        client.connection.close()


def code(answer: Answer) -> tuple[int, str]:
    """Status and problem code; checks the shape of RFC 9457 on the way."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = json.loads(answer.body)
    assert document["status"] == answer.status and document["title"]
    return answer.status, document["type"].rpartition(":")[2]


def test_discovery(host: Host) -> None:
    answer = host.send("OPTIONS", "/files/", {})
    assert answer.status == 204 and answer.body == b""
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(host.settings.max_upload_bytes)
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-defer-length",
        "creation-with-upload",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    }
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


def test_preflight_and_exposed_headers(host: Host) -> None:
    asked = {
        "Origin": "http://alpha.localhost:8000",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,upload-offset",
    }
    answer = host.send("OPTIONS", "/files/abc", asked)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"PATCH", "HEAD", "POST", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "upload-offset", "upload-checksum", "tus-resumable"} <= set(allowed)
    exposed = host.head(host.create(3)).headers["Access-Control-Expose-Headers"]
    assert {"Upload-Offset", "Location", "Upload-Asset", "Upload-Duplicate-Of"} <= set(exposed.split(", "))


def test_an_upload_in_pieces_becomes_an_asset(host: Host) -> None:
    path = host.create(11, "Grüße.jpg")
    assert host.head(path).offset == 0
    first = host.patch(path, 0, b"hello ")
    assert (first.status, first.offset) == (204, 6)
    assert "Upload-Asset" not in first.headers
    state = host.head(path)
    assert state.headers["Upload-Length"] == "11" and state.offset == 6
    assert state.headers["Cache-Control"] == "no-store"
    assert state.headers["Upload-Metadata"] == named("Grüße.jpg")
    assert state.headers["Upload-Expires"].endswith("GMT")
    last = host.patch(path, 6, b"world")
    assert (last.status, last.offset) == (204, 11)
    assert host.stored(last.headers["Upload-Asset"]) == ("Grüße.jpg", b"hello world")
    again = host.head(path)
    assert again.offset == 11 and again.headers["Upload-Asset"] == last.headers["Upload-Asset"]


def test_finishing_writes_outbox_and_usage_once(upload: Flask, settings: Settings, world: World) -> None:
    host = Host(AppClient(upload), settings, world)
    path = host.create(5)
    last = host.patch(path, 0, b"12345")
    asset, trace = last.headers["Upload-Asset"], last.headers["X-Request-Id"]
    assert host.patch(path, 5, b"").headers["Upload-Asset"] == asset
    app = wsgi.core(settings)
    with app.app_context():
        with open_site(world.alpha) as site:
            bodies = [row.body for row in site.session.query(Outbox)]
            events = {(row.meter, row.quantity) for row in site.session.query(UsageEvent)}
        db.engine.dispose()
    assert bodies == [{"kind": "media", "tenant": world.alpha, "asset": asset, "trace": trace}]
    assert events == {(Meter.UPLOADED, 5), (Meter.STORED, 5)}


def test_a_large_body_arrives_whole(host: Host) -> None:
    data = bytes(range(256)) * 4096 * 5 + b"odd"
    path = host.create(len(data))
    done = host.patch(path, 0, data)
    assert host.stored(done.headers["Upload-Asset"])[1] == data


def test_creation_with_upload(host: Host) -> None:
    sent = {**headers(host.ticket, Upload_Length=4, Upload_Metadata=named("b.png")), **BODY}
    whole = host.send("POST", "/files/", sent, b"data")
    assert whole.status == 201 and whole.offset == 4
    assert host.stored(whole.headers["Upload-Asset"]) == ("b.png", b"data")
    part = host.send("POST", "/files/", sent, b"da")
    assert part.offset == 2
    assert host.patch(part.headers["Location"], 2, b"ta").offset == 4
    wrong = host.send("POST", "/files/", {**sent, "Content-Type": "text/plain"}, b"data")
    assert code(wrong) == (415, "media-type")


def test_deferred_length(host: Host) -> None:
    made = host.send("POST", "/files/", headers(host.ticket, Upload_Defer_Length=1, Upload_Metadata=named("c.jpg")))
    path = made.headers["Location"]
    assert host.head(path).headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in host.head(path).headers
    assert host.patch(path, 0, b"abc").offset == 3
    assert code(host.patch(path, 3, b"", Upload_Length=2))[0] == 400
    done = host.patch(path, 3, b"def", Upload_Length=6)
    assert host.stored(done.headers["Upload-Asset"])[1] == b"abcdef"
    both = headers(host.ticket, Upload_Defer_Length=1, Upload_Length=3, Upload_Metadata=named("c.jpg"))
    assert host.send("POST", "/files/", both).status == 400


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_checksum(host: Host, algorithm: str) -> None:
    path = host.create(6)
    good = f"{algorithm} {b64encode(hashlib.new(algorithm, b'abc').digest()).decode()}"
    assert host.patch(path, 0, b"abc", Upload_Checksum=good).offset == 3
    assert code(host.patch(path, 3, b"xyz", Upload_Checksum=good)) == (460, "checksum-mismatch")
    assert host.head(path).offset == 3
    done = host.patch(path, 3, b"abc", Upload_Checksum=good)
    assert host.stored(done.headers["Upload-Asset"])[1] == b"abcabc"


def test_checksum_of_an_unknown_algorithm(host: Host) -> None:
    path = host.create(3)
    assert host.patch(path, 0, b"abc", Upload_Checksum="md5 kAFQmDzST7DWlj99KOF/cg==").status == 400
    assert host.patch(path, 0, b"abc", Upload_Checksum="sha1 tooshort").status == 400


def test_termination(host: Host) -> None:
    path = host.create(10)
    host.patch(path, 0, b"abc")
    assert host.send("DELETE", path, headers(host.ticket)).status == 204
    assert host.head(path).status == 410
    assert code(host.patch(path, 3, b"d")) == (410, "gone")
    assert host.send("DELETE", path, headers(host.ticket)).status == 410


def test_concatenation(host: Host) -> None:
    parts = []
    for data in (b"first ", b"second"):
        made = host.send("POST", "/files/", headers(host.ticket, Upload_Length=len(data), Upload_Concat="partial"))
        parts.append(made.headers["Location"])
        done = host.patch(parts[-1], 0, data)
        assert done.offset == len(data) and "Upload-Asset" not in done.headers
        assert host.head(parts[-1]).headers["Upload-Concat"] == "partial"
    joined = headers(
        host.ticket, Upload_Concat=f"final;http://upload.test{parts[0]} {parts[1]}", Upload_Metadata=named("j.jpg")
    )
    final = host.send("POST", "/files/", joined)
    assert final.status == 201 and final.offset == 12
    assert host.stored(final.headers["Upload-Asset"]) == ("j.jpg", b"first second")
    state = host.head(final.headers["Location"])
    assert state.headers["Upload-Concat"] == f"final;{parts[0]} {parts[1]}"
    assert state.headers["Upload-Length"] == "12" and state.offset == 12
    assert code(host.patch(final.headers["Location"], 12, b"x")) == (403, "forbidden")


def test_concatenation_of_what_cannot_be_joined(host: Host) -> None:
    made = host.send("POST", "/files/", headers(host.ticket, Upload_Length=5, Upload_Concat="partial"))
    partial = made.headers["Location"]
    whole = host.create(5)

    def final(concat: str, **more: str | int) -> Answer:
        return host.send(
            "POST", "/files/", headers(host.ticket, Upload_Concat=concat, Upload_Metadata=named("f.jpg"), **more)
        )

    assert code(final(f"final;{partial}")) == (409, "conflict")  # Unfinished: that extension is not announced.
    assert final(f"final;{whole}").status == 400
    assert final("final;").status == 400
    assert final("middle").status == 400
    assert final("final;/files/nowhere").status == 404
    host.patch(partial, 0, b"12345")
    assert final(f"final;{partial}", Upload_Length=5).status == 400
    assert final(f"final;{partial}").status == 201


def test_wrong_versions(host: Host) -> None:
    path = host.create(3)
    for version in ({}, {"Tus-Resumable": "0.2.2"}):
        plain = {"Authorization": f"Bearer {host.ticket}", **version}
        answer = host.send("PATCH", path, {**plain, "Upload-Offset": "0", **BODY}, b"abc")
        assert code(answer) == (412, "tus-version")
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert host.send("HEAD", path, plain).status == 412
    assert host.head(path).offset == 0


def test_refusals_of_a_patch(host: Host) -> None:
    path = host.create(4)
    conflict = host.patch(path, 2, b"xx")
    assert code(conflict) == (409, "offset-conflict") and conflict.offset == 0
    assert code(host.patch(path, 0, b"12345")) == (413, "too-large")
    typed = {**headers(host.ticket, Upload_Offset=0), "Content-Type": "image/jpeg"}
    assert code(host.send("PATCH", path, typed, b"1234")) == (415, "media-type")
    assert host.send("PATCH", path, {**headers(host.ticket), **BODY}, b"1234").status == 400
    assert host.patch(path, "-1", b"1234").status == 400  # type: ignore[arg-type]
    assert code(host.patch("/files/00000000000000000000000000", 0, b"1")) == (404, "not-found")
    assert code(host.patch("/files/..%2f..%2fetc", 0, b"1")) == (404, "not-found")
    assert host.head(path).offset == 0


def test_refusals_of_a_creation(host: Host) -> None:
    def create(**more: str | int) -> Answer:
        return host.send("POST", "/files/", headers(host.ticket, **more))

    assert code(create(Upload_Length=0, Upload_Metadata=named("e.jpg"))) == (422, "invalid")
    assert create(Upload_Length="ten", Upload_Metadata=named("e.jpg")).status == 400
    assert create(Upload_Metadata=named("e.jpg")).status == 400
    assert create(Upload_Length=3).status == 400
    assert create(Upload_Length=3, Upload_Metadata="filename !!!").status == 400
    assert code(create(Upload_Length=3, Upload_Metadata=named("x.zip", filetype="application/zip"))) == (
        415,
        "media-type",
    )
    huge = host.settings.max_upload_bytes + 1
    assert code(create(Upload_Length=huge, Upload_Metadata=named("e.jpg"))) == (413, "too-large")


def test_a_ticket_bounds_size_and_time(host: Host) -> None:
    small = host.mint(max_bytes=10)
    sent = headers(small, Upload_Length=11, Upload_Metadata=named("s.jpg"))
    assert code(host.send("POST", "/files/", sent)) == (413, "too-large")
    deferred = headers(small, Upload_Defer_Length=1, Upload_Metadata=named("s.jpg"))
    path = host.send("POST", "/files/", deferred).headers["Location"]
    assert code(host.patch(path, 0, b"12345678901")) == (413, "too-large")
    assert code(host.send("POST", "/files/", headers(host.mint(hours=-1), Upload_Length=1))) == (401, "bad-ticket")
    assert code(host.send("POST", "/files/", {"Tus-Resumable": "1.0.0"})) == (401, "bad-ticket")
    assert code(host.send("POST", "/files/", headers(host.ticket + "x", Upload_Length=1))) == (401, "bad-ticket")


def test_other_tickets_see_no_upload(host: Host) -> None:
    path = host.create(3)
    others = (host.mint(host.world.beta, host.world.beta_album), host.mint(album=host.world.alpha_private))
    for other in others:
        assert host.send("HEAD", path, headers(other)).status == 404
        assert host.send("DELETE", path, headers(other)).status == 404
        assert code(host.send("PATCH", path, {**headers(other, Upload_Offset=0), **BODY}, b"abc")) == (404, "not-found")
    crossed = host.mint(host.world.beta, host.world.alpha_album)
    sent = headers(crossed, Upload_Length=3, Upload_Metadata=named("x.jpg"))
    assert host.send("POST", "/files/", sent).status == 404


def test_method_override(host: Host) -> None:
    path = host.create(3)
    sent = {**headers(host.ticket, Upload_Offset=0, X_HTTP_Method_Override="PATCH"), **BODY}
    assert host.send("POST", path, sent, b"abc").status == 204
    assert host.send("POST", host.create(3), headers(host.ticket, X_HTTP_Method_Override="DELETE")).status == 204


def test_a_wrong_declared_hash_ends_the_upload(host: Host) -> None:
    sent = headers(
        host.ticket, Upload_Length=3, Upload_Metadata=named("h.jpg", sha256=hashlib.sha256(b"abc").hexdigest())
    )
    path = host.send("POST", "/files/", sent).headers["Location"]
    assert code(host.patch(path, 0, b"abd")) == (460, "checksum-mismatch")
    assert host.head(path).status == 410
    path = host.send("POST", "/files/", sent).headers["Location"]
    assert host.patch(path, 0, b"abc").status == 204


def test_duplicates_are_told_and_reused(host: Host) -> None:
    data = b"the same bytes twice, " + host.ticket.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    ask = {"Authorization": f"Bearer {host.ticket}", "Content-Type": "application/json"}
    question = json.dumps({"sha256": [sha256, "0" * 64]}).encode()
    assert json.loads(host.send("POST", "/files/known", ask, question).body) == {"known": {}}
    first = host.patch(host.create(len(data), "one.jpg"), 0, data)
    assert "Upload-Duplicate-Of" not in first.headers
    asset = first.headers["Upload-Asset"]
    second = host.patch(host.create(len(data), "two.jpg"), 0, data)
    assert second.headers["Upload-Duplicate-Of"] == asset
    known = json.loads(host.send("POST", "/files/known", ask, question).body)["known"]
    assert known == {sha256: {"asset": asset, "album": host.world.alpha_album, "filename": "one.jpg"}}

    wish = json.dumps({"sha256": sha256, "filename": "three.jpg"}).encode()
    reused = host.send("POST", "/files/reuse", ask, wish)
    assert reused.status == 201 and reused.headers["Upload-Duplicate-Of"] == asset
    assert host.stored(json.loads(reused.body)["asset"]) == ("three.jpg", data)

    other = {**ask, "Authorization": f"Bearer {host.mint(host.world.beta, host.world.beta_album)}"}
    assert json.loads(host.send("POST", "/files/known", other, question).body) == {"known": {}}
    assert host.send("POST", "/files/reuse", other, wish).status == 404
    assert host.send("POST", "/files/known", ask, b"[1]").status == 400


def test_health(host: Host) -> None:
    answer = host.send("GET", "/healthz", {})
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_unknown_addresses_are_problems(host: Host) -> None:
    assert code(host.send("GET", "/elsewhere", {})) == (404, "not-found")
    assert code(host.send("GET", host.create(1), headers(host.ticket))) == (405, "wrong-method")


def test_guessing_tickets_is_slowed_down(upload: Flask, settings: Settings, world: World) -> None:
    host = Host(AppClient(upload), settings, world)
    wrong = [host.send("HEAD", "/files/x", headers(f"guess-{number}")).status for number in range(70)]
    assert wrong[:60] == [401] * 60 and set(wrong[60:]) == {429}
    limited = host.send("PATCH", "/files/x", headers("guess"))
    assert limited.status == 401  # Each verb has its own count.


def test_large_questions_are_refused(host: Host) -> None:
    ask = {"Authorization": f"Bearer {host.ticket}", "Content-Type": "application/json"}
    many = json.dumps({"sha256": ["0" * 64] * 501}).encode()
    assert host.send("POST", "/files/known", ask, many).status == 400
    assert code(host.send("POST", "/files/known", ask, b'{"sha256": [' + b" " * 70_000 + b"]}")) == (413, "too-large")
