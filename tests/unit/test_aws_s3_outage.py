"""What people see while S3 does not answer at all."""

from collections.abc import Iterator

import pytest
from conftest import World
from flask import Flask
from loopback import free_port
from upload_server import AppClient, headers, named, ticket

import wsgi
from infra.settings import Settings, load
from tenants.db import db


@pytest.fixture
def upload(settings: Settings, keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The upload host with an S3 that nobody listens for."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = load(
        data_dir=settings.data_dir,
        blobs="s3",
        s3_bucket="photos",
        aws_region="us-east-1",
        aws_endpoint_url=nowhere,
    )
    app = wsgi.make_upload(away)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_an_upload_is_told_to_come_back(upload: Flask, settings: Settings, world: World) -> None:
    bearer = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)
    client = AppClient(upload)
    created = client("POST", "/files/", headers(bearer, Upload_Length=4, Upload_Metadata=named("a.jpg")))
    path = "/files/" + created.headers["Location"].partition("/files/")[2]
    sent = headers(bearer, Upload_Offset=0, Content_Type="application/offset+octet-stream")
    answer = client("PATCH", path, sent, b"data")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert b"urn:problem-type:unavailable" in answer.body
    assert client("HEAD", path, headers(bearer)).offset == 0
