"""One table of everything that can go wrong in public: code, HTTP status, title.

Code raises `Problem("code", "what to do")`; the web layers turn it into RFC 9457 problem details or a styled page.
"""

from http import HTTPStatus
from typing import Any

TABLE: dict[str, tuple[int, str]] = {
    # code: (HTTP status, public title)
    "bad-request": (400, "That request could not be read"),
    "bad-ticket": (401, "The upload ticket is missing, expired or not valid"),
    "sign-in": (401, "Please sign in"),
    "forbidden": (403, "That is not allowed for your account"),
    "not-found": (404, "There is nothing here"),
    "wrong-method": (405, "That method is not allowed here"),
    "timeout": (408, "The request took too long to arrive"),
    "conflict": (409, "That does not fit what is stored"),
    "offset-conflict": (409, "The offset is not where the upload stands"),
    "gone": (410, "This has expired or was removed"),
    "length-required": (411, "The request needs a Content-Length"),
    "tus-version": (412, "This server speaks tus 1.0.0"),
    "stale": (412, "It was changed by someone else in the meantime"),
    "too-large": (413, "That is larger than allowed"),
    "media-type": (415, "That content type is not accepted here"),
    "range": (416, "That part of the file does not exist"),
    "invalid": (422, "Some fields need another look"),
    "locked": (423, "The upload is being written by another request"),
    "rate-limited": (429, "Too many requests"),
    "checksum-mismatch": (460, "The checksum does not match what arrived"),
    "internal": (500, "Something went wrong on our side"),
    "unavailable": (503, "The service is not ready, please try again shortly"),
    "disk-full": (507, "The server has no room left"),
}

TYPE_BASE = "urn:problem-type:"
"""Names no host: the documents reach visitors of tenants' own domains."""


class Problem(Exception):
    """A refusal with a public explanation.

    `detail` says in a sentence what the caller can do; `extra` becomes extension members (RFC 9457, section 3.2);
    `headers` go on the response (a `Retry-After`, a tus header).
    """

    def __init__(self, code: str, detail: str = "", *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        self.code = code
        self.status, self.title = TABLE[code]
        self.detail = detail
        self.extra = extra
        self.headers = headers or {}
        super().__init__(f"{code}: {detail or self.title}")

    def document(self) -> dict[str, Any]:
        """The RFC 9457 problem document."""
        body: dict[str, Any] = {"type": TYPE_BASE + self.code, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        return {**body, **self.extra}


def from_status(status: int) -> str:
    """The code that stands for a bare HTTP status raised by the framework."""
    preferred = {401: "sign-in", 404: "not-found", 405: "wrong-method", 409: "conflict", 412: "stale"}
    if status in preferred:
        return preferred[status]
    for code, (known, _) in TABLE.items():
        if known == status:
            return code
    return "bad-request" if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal"


# --- What ports raise. Not public: callers turn them into a Problem or handle them. ---------------------------------


class BlobMissing(LookupError):
    """No object under that key."""


class BlobExists(Exception):
    """The key is taken; objects are written once and never changed."""


class StorageFull(OSError):
    """The store has no room; whatever was committed before is intact."""


class ReceiptExpired(Exception):
    """The message was received again by someone else since, or is gone."""


class ConditionFailed(Exception):
    """A conditional write found another value."""


class Unavailable(ConnectionError):
    """The service behind a port does not answer, or not now; trying again later may help."""
