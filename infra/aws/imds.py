"""What EC2 says to an instance about its own end: the instance metadata service, version 2."""

import http.client
import json
import os
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

log = structlog.get_logger(__name__)

ENDPOINT = "http://169.254.169.254"
TOKEN_SECONDS = 6 * 3600  # The longest that IMDSv2 grants.
_TIMEOUT = 1.0  # The service is on the same host; off EC2 nobody answers at all.


class Ec2Notices:
    """Implements `infra.ports.Notices` for Spot instances. Ask every five seconds, as AWS advises.

    A notice of interruption comes two minutes ahead at best. `endpoint` is the service's own, or what
    `AWS_EC2_METADATA_SERVICE_ENDPOINT` says.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        given = endpoint or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINT
        self._host = urlsplit(given).netloc
        self._token: str | None = None
        self._away = False

    def interruption(self) -> datetime | None:
        """GET spot/instance-action; 404 means that nothing is announced."""
        return _time(self._ask("spot/instance-action"), "time")

    def rebalance(self) -> bool:
        """GET events/recommendations/rebalance; 404 means that nothing is announced."""
        return _time(self._ask("events/recommendations/rebalance"), "noticeTime") is not None

    def _ask(self, path: str) -> Any:
        """The document at `path`; None if there is none or the service does not answer, which is logged once."""
        try:
            for _ in range(2):
                token = self._token or self._new_token()
                status, body = self._request("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token})
                if status != http.HTTPStatus.UNAUTHORIZED:
                    break
                self._token = None  # It ran out; once more with another.
            if status not in {http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND}:
                raise OSError(f"{path}: HTTP {status}")
            self._away = False
            return json.loads(body) if status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._away:
                log.warning("the instance metadata service does not answer", error=str(error))
            self._away = True
            return None

    def _new_token(self) -> str:
        """PUT /latest/api/token."""
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        status, body = self._request("PUT", "/latest/api/token", ttl)
        if status != http.HTTPStatus.OK:
            raise OSError(f"no token: HTTP {status}")
        self._token = body.decode("ascii")
        return self._token

    def _request(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        # Never through a proxy: the address is good on this host only.
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _time(document: Any, name: str) -> datetime | None:
    """The notice's time (ISO 8601, UTC). Raises nothing: a notice that cannot be read is none, and is logged."""
    if document is None:
        return None
    try:
        return datetime.fromisoformat(document[name])
    except (KeyError, TypeError, ValueError):
        log.error("an unreadable notice", document=document)
        return None
