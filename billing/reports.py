"""Meter events that Stripe took and could not use, and those of which nobody knows whether it has them.

Stripe looks at a meter event's customer and value after it has accepted it. What it drops it tells by
`v1.billing.meter.error_report_triggered`, with a sample of at most ten identifiers for each kind of error. Those become
`refused`. While there were more errors than samples, everything that was sent for the meter in the report's time is
`doubtful` until Stripe's own sum has been read for it (`settle`).
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from billing.accounts import StripeEvent  # noqa: F401  (its table belongs to the same story)
from billing.ledger import MeterEvent, MeterRow
from billing.plans import Dimension
from billing.stripe_gateway import Thing
from billing.stripe_names import meter_name
from billing.stripe_sink import StripeSink
from infra.sql import reading
from tenants.db import across_tenants, db
from tenants.scope import ports

log = structlog.get_logger(__name__)

REPORTED = "Stripe reported errors: "
SUMS_LAG = timedelta(hours=1)
"""Stripe's sums are a little behind events. A doubt is looked into when its event is at least this old."""
