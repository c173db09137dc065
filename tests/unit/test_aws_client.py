"""boto3 clients: a process's own, and what their errors mean to callers."""

import os

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from infra.aws.client import Clients, mapped
from infra.errors import ReceiptExpired, Unavailable


def refused(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    "error",
    [
        refused("InternalError", 500),
        refused("ServiceUnavailable", 503),
        refused("Throttling", 400),
        EndpointConnectionError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
    ],
)
def test_what_may_pass_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable) as caught, mapped():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [refused("AccessDenied", 403), ParamValidationError(report="wrong")])
def test_what_stays_wrong_is_raised_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), mapped():
        raise error


def test_a_named_code_is_the_callers_error() -> None:
    with pytest.raises(ReceiptExpired), mapped({"Old": ReceiptExpired("r")}):
        raise refused("Old", 500)


@pytest.mark.usefixtures("keys")
def test_a_forked_child_makes_its_own_clients() -> None:
    clients = Clients(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    parents = clients.get("sqs")
    assert clients.get("sqs") is parents
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.write(writes, b"own" if clients.get("sqs") is not parents else b"shared")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reads, 10) == b"own"
    os.close(reads)
    os.close(writes)
    clients.close()
