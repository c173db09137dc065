"""A session of one tenant (`s3_policy.session_policy`): the adapters work in it unchanged, and reach nobody else's.

Behind it stands radosgw, which enforces session policies, or AWS with `VITRINE_TEST_ROLE`, a role that may use the
bucket. moto does not. radosgw 16 refuses UploadPartCopy and DeleteObjects to every session: these are for AWS only.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import boto3
import pytest
import radosgw
from behind import REGION, S3_SESSIONS, s3_endpoint, s3_stand
from botocore.exceptions import ClientError

from infra.aws.client import Clients
from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.aws.s3_policy import session_policy
from infra.errors import BlobExists, BlobMissing

ONE, OTHER = "t/01/", "t/02/"


@dataclass(frozen=True)
class Sessions:
    """The bucket as the app sees it, and as tenant 01's session does."""

    whole: Bucket
    one: Bucket
    aws: bool


@pytest.fixture(params=S3_SESSIONS)
def sessions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sessions]:
    endpoint = s3_endpoint(request.param, request)
    role = radosgw.ROLE if endpoint else os.environ["VITRINE_TEST_ROLE"]
    with s3_stand(request.param, request) as whole:
        policy = json.dumps(session_policy(whole.name, ONE), separators=(",", ":"))
        sts = boto3.client("sts", region_name=REGION, endpoint_url=endpoint)
        given = sts.assume_role(RoleArn=role, RoleSessionName="tenant-01", Policy=policy)["Credentials"]
        sts.close()
        clients = Clients(region=REGION, endpoint_url=endpoint)
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
            patch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
            one = Bucket(clients, whole.name)
            assert one.client  # Made now, with these keys.
        yield Sessions(whole, one, aws=endpoint is None)
        clients.close()


def test_everything_that_is_done_for_a_tenant_is_done_in_its_session(sessions: Sessions) -> None:
    store = S3Store(sessions.one)
    pieces = [os.urandom(WINDOW if sessions.aws else 1000), os.urandom(1000)]
    data = b"".join(pieces)
    writer = store.writer(f"{ONE}in/u", 0)
    for piece in pieces:
        writer.write(memoryview(piece))
        writer.commit()
    writer.close()
    assert list(store.leftovers(f"{ONE}in/")) == [f"{ONE}in/u"]
    store.seal(f"{ONE}in/u", len(data), f"{ONE}o/a/x", content_type="x/y")
    store.put(f"{ONE}r/a/1/w.jpg", b"small", content_type="image/jpeg")
    with pytest.raises(BlobExists):
        store.put(f"{ONE}r/a/1/w.jpg", b"again", content_type="image/jpeg")
    with store.open(f"{ONE}o/a/x") as stream:
        assert stream.read() == data
    sessions.one.client.create_multipart_upload(Bucket=sessions.one.name, Key=f"{ONE}o/c/x")
    sessions.one.abort(ONE)
    assert "Uploads" not in sessions.whole.client.list_multipart_uploads(Bucket=sessions.whole.name)
    if sessions.aws:
        store.copy(f"{ONE}o/a/x", f"{ONE}o/b/x")
        store.discard(f"{ONE}in/u")
        assert store.delete_prefix(ONE) == 3
        assert list(sessions.whole.list("")) == []


def test_nothing_of_another_tenant_is_read_written_or_listed(sessions: Sessions) -> None:
    outside, store = S3Store(sessions.whole), S3Store(sessions.one)
    outside.put(f"{OTHER}o/a/x", b"theirs", content_type="x/y")
    writer = outside.writer(f"{OTHER}in/u", 0)
    writer.write(memoryview(b"theirs"))
    writer.commit()
    writer.close()
    before = [info.key for info in sessions.whole.list("")]
    attempts: list[Callable[[], object]] = [
        lambda: store.open(f"{OTHER}o/a/x"),
        lambda: store.stat(f"{OTHER}o/a/x"),
        lambda: store.put(f"{OTHER}o/b/x", b"ours", content_type="x/y"),
        lambda: store.copy(f"{OTHER}o/a/x", f"{ONE}o/a/x"),
        lambda: list(store.list(OTHER)),
        lambda: list(store.list("t/")),
        lambda: list(store.leftovers("t/")),
        lambda: store.size(f"{OTHER}in/u"),
        lambda: store.writer(f"{OTHER}in/u", 6),
        lambda: store.delete(f"{OTHER}o/a/x"),
        lambda: store.delete_prefix(OTHER),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError) as refused:
            attempt()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert [info.key for info in sessions.whole.list("")] == before
    with pytest.raises(BlobMissing):
        outside.stat(f"{ONE}o/a/x")
