"""Errors in Stripe's shapes (docs.stripe.com/api/errors)."""

from typing import Any


class Refusal(Exception):
    """An answer that is an error: `{"error": {"type", "message", "code"?, "param"?}}` with Stripe's HTTP status."""

    def __init__(self, status: int, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.document: dict[str, Any] = {"error": {"type": kind, "message": message, **more}}


def invalid(message: str, **more: str) -> Refusal:
    return Refusal(400, "invalid_request_error", message, **more)


def missing(kind: str, name: str, param: str = "id", status: int = 404) -> Refusal:
    return Refusal(status, "invalid_request_error", f"No such {kind}: '{name}'", code="resource_missing", param=param)


def conflicting_key(key: str) -> Refusal:
    return Refusal(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
    )


ON_DEMAND = {
    402: ("card_error", "Your card was declined.", {"code": "card_declined", "decline_code": "generic_decline"}),
    409: (
        "invalid_request_error",
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
        "it.",
        {"code": "lock_timeout"},
    ),
    429: ("invalid_request_error", "Request rate limit exceeded.", {"code": "rate_limit"}),
    500: ("api_error", "An unknown error occurred", {}),
}
"""What `FakeStripe.fail_next` answers."""


def on_demand(status: int) -> Refusal:
    kind, message, more = ON_DEMAND[status]
    return Refusal(status, kind, message, **more)
