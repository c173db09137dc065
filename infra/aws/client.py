"""boto3 clients: one a service and process, with bounded timeouts, retries and pools.

Credentials come the way that every AWS tool takes them (environment, profile, instance role), and so do a service's
own endpoint (`AWS_ENDPOINT_URL_SQS`, …) and whatever else botocore reads.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from infra.aws import native
from infra.errors import Unavailable

# A retried request may take `attempts` x (connect + read) seconds: callers hold leases of a minute.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=25,  # Longer than SQS's longest poll, 20 s.
    max_pool_connections=32,
    tcp_keepalive=True,
    user_agent_appid="vitrine",
)


class Clients:
    """Makes clients when they are first asked for. Safe between threads, and after a fork.

    `region` and `endpoint_url` are the environment's unless they are given. A client's connections belong to the
    process that opened them, so a forked child makes its own. Where gevent has replaced the sockets, a connection
    belongs to the native thread whose event loop it was made for as well.
    """

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._lock = native.lock()
        self._made: dict[tuple[int, int, str], Any] = {}
        self._sessions: dict[int, boto3.session.Session] = {}
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = native.lock()  # Another thread of the parent may have held it.
        self._made = {}

    def get(self, service: str, **config: Any) -> Any:
        """The client of `service` ("s3", "sqs", …); `config` overrides botocore's Config on first use."""
        loop = native.event_loop()
        key = os.getpid(), loop, service
        with self._lock:
            if key not in self._made:
                # Within the lock: a session is not safe between threads, its clients are. One an event loop, since
                # credentials that are renewed have a lock of their own.
                session = self._sessions.get(loop) or boto3.session.Session(region_name=self._region)
                self._sessions[loop] = session
                self._made[key] = session.client(
                    service, endpoint_url=self._endpoint_url, config=_CONFIG.merge(Config(**config))
                )
            return self._made[key]

    def close(self) -> None:
        """Give up this process's connections. What was made is of no more use."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made = {}


@contextmanager
def mapped(errors: Mapping[str, Exception] | None = None) -> Iterator[None]:
    """Raise `errors[code]` for an AWS error code named there, and `Unavailable` for what may pass.

    That is: no answer, a 5xx, being throttled. A request that AWS refuses as wrong or forbidden is raised as it is.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if errors and code in errors:
            raise errors[code] from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status >= 500 or code in {"Throttling", "ThrottlingException", "SlowDown", "RequestThrottled"}:
            raise Unavailable(str(error)) from error
        raise
    except ParamValidationError:
        raise
    except BotoCoreError as error:
        raise Unavailable(str(error)) from error
