"""A fake of Stripe's API, as far as Vitrine uses it: small, stateful, on HTTP, driven by the test's Clock.

It follows the API reference (docs.stripe.com/api, version 2026-10-28.endive). What it knows of each object is in
`objects.json`, Stripe's own published examples: it cannot make a field that Stripe does not have. What it does not
imitate: payment methods, currencies' rules, tax rates (one is enough), and that Stripe's sums lag a little.
"""

from stripe_fake.core import KEY, FakeStripe
from stripe_fake.http import running

__all__ = ["KEY", "FakeStripe", "running"]
