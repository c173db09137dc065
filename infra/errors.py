"""One table of everything that can go wrong in public: code, HTTP status, title.

Code raises `Problem("code", "what to do")`; the web layers turn it into RFC 9457 problem details or a styled page.
"""

from http import HTTPStatus
from typing import Any


def N_(text: str) -> str:  # noqa: N802 (gettext's own name for it)
    """Marks a sentence for the translators (babel.cfg). The layer that shows it has it translated."""
    return text


TABLE: dict[str, tuple[int, str]] = {
    # code: (HTTP status, public title)
    "bad-request": (400, N_("That request could not be read")),
    "bad-ticket": (401, N_("The upload ticket is missing, expired or not valid")),
    "sign-in": (401, N_("Please sign in")),
    "private": (401, N_("This is not public")),
    "token": (401, N_("A valid token is needed")),
    "forbidden": (403, N_("That is not allowed for your account")),
    "scope": (403, N_("The token does not allow that")),
    "origin": (403, N_("This cannot be shown on that website")),
    "paused": (403, N_("This site is paused")),
    "off": (403, N_("This is switched off")),
    "over-budget": (403, N_("The month's budget is used up")),
    "not-found": (404, N_("There is nothing here")),
    "wrong-method": (405, N_("That method is not allowed here")),
    "timeout": (408, N_("The request took too long to arrive")),
    "conflict": (409, N_("That does not fit what is stored")),
    "offset-conflict": (409, N_("The offset is not where the upload stands")),
    "gone": (410, N_("This has expired or was removed")),
    "length-required": (411, N_("The request needs a Content-Length")),
    "tus-version": (412, N_("This server speaks tus 1.0.0")),
    "stale": (412, N_("It was changed by someone else in the meantime")),
    "too-large": (413, N_("That is larger than allowed")),
    "over-quota": (413, N_("The plan has no room left")),
    "media-type": (415, N_("That content type is not accepted here")),
    "range": (416, N_("That part of the file does not exist")),
    "invalid": (422, N_("Some fields need another look")),
    "locked": (423, N_("The upload is being written by another request")),
    "version-missing": (428, N_("Say which version is to be changed")),
    "rate-limited": (429, N_("Too many requests")),
    "blocked": (451, N_("This file is not accepted here")),
    "checksum-mismatch": (460, N_("The checksum does not match what arrived")),
    "internal": (500, N_("Something went wrong on our side")),
    "not-implemented": (501, N_("That is not offered here")),
    "unavailable": (503, N_("The service is not ready, please try again shortly")),
    "disk-full": (507, N_("The server has no room left")),
}

TYPE_BASE = "urn:problem-type:"
"""Names no host: the documents reach visitors of tenants' own domains."""


class Problem(Exception):
    """A refusal with a public explanation.

    `detail` says in a sentence what the caller can do; `extra` becomes extension members (RFC 9457, section 3.2);
    `headers` go on the response (a `Retry-After`, a tus header). `values` fill the `%(name)s` of the detail, so that it
    stays one sentence for translators.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        values: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.code = code
        self.status, self.title = TABLE[code]
        self.sentence, self.values = detail, values or {}
        self.detail = detail = detail % values if values else detail
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


class UnreadableLog(ValueError):
    """A log file is not in a format that is known, or is damaged."""


class Unavailable(ConnectionError):
    """The service behind a port does not answer, or not now; trying again later may help."""
