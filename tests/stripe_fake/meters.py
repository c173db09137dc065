"""Billing meters, their events, sums and error reports (docs.stripe.com/billing/subscriptions/usage-based)."""

import re
from datetime import UTC, datetime
from typing import Any

from stripe_fake.core import DAY, FakeStripe, Params, Route, Thing
from stripe_fake.forms import whole
from stripe_fake.refusals import invalid, missing

PAST, FUTURE = 35 * DAY, 300
GROUPS = {"hour": 3600, "day": DAY}


def create_meter(fake: FakeStripe, params: Params) -> Thing:
    formula = params["default_aggregation"].get("formula")
    if formula not in ("sum", "count", "last"):
        raise invalid("Invalid default_aggregation[formula]: must be one of count, sum, or last")
    if any(m["event_name"] == params["event_name"] and m["status"] == "active" for m in fake.all("billing.meter")):
        raise invalid(f"An active meter with event name {params['event_name']} already exists.", param="event_name")
    meter = fake.make(
        "billing.meter",
        status="active",
        display_name=params["display_name"],
        event_name=params["event_name"],
        default_aggregation={"formula": formula},
        customer_mapping=params.get("customer_mapping") or {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        value_settings=params.get("value_settings") or {"event_payload_key": "value"},
        status_transitions={"deactivated_at": None},
    )
    return fake.keep(meter)


def get_meter(fake: FakeStripe, _params: Params, name: str) -> Thing:
    return fake.get("billing.meter", name)


def list_meters(fake: FakeStripe, params: Params) -> Thing:
    status = params.get("status")
    found = [meter for meter in fake.all("billing.meter") if status in (None, meter["status"])]
    return fake.page(found, params, "/v1/billing/meters")


def update_meter(fake: FakeStripe, params: Params, name: str) -> Thing:
    meter = fake.get("billing.meter", name)
    meter["display_name"] = params.get("display_name", meter["display_name"])
    return meter


def deactivate_meter(fake: FakeStripe, _params: Params, name: str) -> Thing:
    meter = fake.get("billing.meter", name)
    meter["status"], meter["status_transitions"] = "inactive", {"deactivated_at": fake.now()}
    return meter


def create_event(fake: FakeStripe, params: Params) -> Thing:
    """Validated now; that the customer exists only later, by an error report (`report_errors`)."""
    meter = next((m for m in fake.all("billing.meter") if m["event_name"] == params["event_name"]), None)
    if meter is None or meter["status"] != "active":
        raise invalid(f"No active meter found for event name: {params['event_name']}", param="event_name")
    value = params["payload"].get(meter["value_settings"]["event_payload_key"])
    if params["payload"].get(meter["customer_mapping"]["event_payload_key"]) is None:
        raise invalid("Missing customer in the payload", param="payload")
    if value is None or not re.fullmatch(r"-?\d{1,15}", str(value)):
        raise invalid(f"Invalid value {value}: must be a whole number of at most 15 digits", param="payload")
    at = whole(params.get("timestamp", fake.now()), "timestamp")
    if at < fake.now() - PAST:
        raise invalid("The timestamp must be within the past 35 calendar days.", param="timestamp")
    if at > fake.now() + FUTURE:
        raise invalid("The timestamp must not be more than 5 minutes in the future.", param="timestamp")
    identifier = params.get("identifier") or f"auto-{len(fake.meter_events)}"
    if len(identifier) > 100:
        raise invalid("Invalid string: identifier must be at most 100 characters", param="identifier")
    if any(e["identifier"] == identifier and fake.now() - e["created"] < DAY for e in fake.meter_events):
        raise invalid(f"An event already exists with identifier {identifier}.")
    event = fake.make(
        "billing.meter_event",
        event_name=params["event_name"],
        identifier=identifier,
        payload=params["payload"],
        timestamp=at,
    )
    fake.meter_events.append(event)
    return event


def adjust(fake: FakeStripe, params: Params) -> Thing:
    """Cancel one event, within 24 hours of its arrival."""
    identifier = params.get("cancel", {}).get("identifier")
    for event in fake.meter_events:
        same = event["identifier"] == identifier and event["event_name"] == params["event_name"]
        if same and fake.now() - event["created"] < DAY:
            fake.meter_events.remove(event)
            cancel = {"identifier": identifier}
            made: dict[str, Any] = {"cancel": cancel, "event_name": params["event_name"], "status": "pending"}
            return fake.make("billing.meter_event_adjustment", type="cancel", **made)
    raise missing("meter event", str(identifier), "cancel[identifier]", 400)


def summaries(fake: FakeStripe, params: Params, name: str) -> Thing:
    """Sums of [start_time, end_time), whole or by hour or day."""
    meter = fake.get("billing.meter", name)
    start, end = (whole(params[edge], edge) for edge in ("start_time", "end_time"))
    window = params.get("value_grouping_window")
    step = GROUPS[window] if window else 60
    if start % step or end % step or end <= start:
        raise invalid(f"Invalid start_time or end_time: align them with {window or 'minute'} boundaries.")
    fake.find("customer", params["customer"], "customer")
    edges = range(start, end, step) if window else [start]
    made = []
    for edge in edges:
        until = edge + step if window else end
        total = usage(fake, meter, params["customer"], edge, until)
        if total is not None:
            made.append(
                fake.make(
                    "billing.meter_event_summary",
                    aggregated_value=total,
                    start_time=edge,
                    end_time=until,
                    meter=name,
                    id=f"mtrusg_{name}_{edge}_{until}",
                )
            )
    return fake.page(made, params, f"/v1/billing/meters/{name}/event_summaries")


def usage(fake: FakeStripe, meter: Thing, customer: str, start: int, end: int) -> int | None:
    """The customer's usage in [start, end) by the meter's formula; None without any event."""
    who, what = meter["customer_mapping"]["event_payload_key"], meter["value_settings"]["event_payload_key"]
    values = [
        int(event["payload"][what])
        for event in sorted(fake.meter_events, key=lambda event: event["timestamp"])
        if event["event_name"] == meter["event_name"]
        and event["payload"][who] == customer
        and start <= event["timestamp"] < end
    ]
    if not values:
        return None
    return {"sum": sum(values), "count": len(values), "last": values[-1]}[meter["default_aggregation"]["formula"]]


def report_errors(fake: FakeStripe, meter: Thing, code: str, identifiers: list[str], *, samples: int = 10) -> Thing:
    """Drop these events as Stripe does when it cannot use them, and return the thin notification of the report."""
    lost = [event for event in fake.meter_events if event["identifier"] in identifiers]
    fake.meter_events = [event for event in fake.meter_events if event not in lost]
    shown = [{"error_message": code, "request": {"identifier": name}} for name in identifiers[:samples]]
    reason = {
        "error_count": len(identifiers),
        "error_types": [{"code": code, "error_count": len(identifiers), "sample_errors": shown}],
    }
    number = len(fake.things.setdefault("v2.core.event", {})) + 1
    event: Thing = {
        "id": f"evt_v2_{number:06d}",
        "object": "v2.core.event",
        "type": "v1.billing.meter.error_report_triggered",
        "created": _iso(fake.now()),
        "livemode": False,
        "context": None,
        "reason": None,
        "related_object": {
            "id": meter["id"],
            "type": "billing.meter",
            "url": f"/v1/billing/meters/{meter['id']}",
        },
    }
    data = {
        "developer_message_summary": f"There were {len(identifiers)} invalid meter events",
        "reason": reason,
        "validation_start": _iso(min((each["created"] for each in lost), default=fake.now()) - 1),
        "validation_end": _iso(fake.now() + 1),
    }
    fake.things["v2.core.event"][event["id"]] = {**event, "data": data}
    return event


def get_thin(fake: FakeStripe, _params: Params, name: str) -> Thing:
    return fake.get("v2.core.event", name)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


ROUTES = [
    Route("POST", "/v1/billing/meters", create_meter,
          "default_aggregation! display_name! event_name! customer_mapping value_settings event_time_window"),
    Route("GET", "/v1/billing/meters", list_meters, "status limit starting_after ending_before"),
    Route("GET", "/v1/billing/meters/:id", get_meter),
    Route("POST", "/v1/billing/meters/:id", update_meter, "display_name"),
    Route("POST", "/v1/billing/meters/:id/deactivate", deactivate_meter),
    Route("GET", "/v1/billing/meters/:id/event_summaries", summaries,
          "customer! start_time! end_time! value_grouping_window limit starting_after ending_before"),
    Route("POST", "/v1/billing/meter_events", create_event, "event_name! payload! identifier timestamp"),
    Route("POST", "/v1/billing/meter_event_adjustments", adjust, "event_name! type! cancel"),
    Route("GET", "/v2/core/events/:id", get_thin),
]  # fmt: skip
