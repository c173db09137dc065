"""Products, prices, coupons, promotion codes and customers."""

from decimal import Decimal
from typing import Any

from stripe_fake.core import FakeStripe, Params, Route, Thing
from stripe_fake.forms import flag, whole
from stripe_fake.refusals import invalid


def merge(thing: Thing, params: Params, *names: str) -> Thing:
    """An update: what is not named stays; metadata is merged, an empty value removes a key."""
    for name in names:
        if name in params:
            thing[name] = params[name] or None
    if "active" in params:
        thing["active"] = flag(params["active"])
    if "metadata" in params:
        thing["metadata"] = {k: v for k, v in {**thing["metadata"], **(params["metadata"] or {})}.items() if v != ""}
    return thing


def create_product(fake: FakeStripe, params: Params) -> Thing:
    if params.get("id") in fake.things.get("product", {}):
        raise invalid(f"Product already exists: {params['id']}", code="resource_already_exists", param="id")
    more = {"id": params["id"]} if "id" in params else {}
    product = fake.make("product", active=True, type="service", images=[], marketing_features=[], **more)
    return fake.keep(merge(product, params, "name", "description", "tax_code", "unit_label"))


def update_product(fake: FakeStripe, params: Params, name: str) -> Thing:
    return merge(fake.get("product", name), params, "name", "description", "tax_code", "unit_label")


def create_price(fake: FakeStripe, params: Params) -> Thing:
    fake.find("product", params["product"], "product")
    recurring = {"interval_count": 1, "meter": None, "usage_type": "licensed", "trial_period_days": None}
    recurring |= params.get("recurring") or {}
    metered = recurring["usage_type"] == "metered"
    if metered != bool(recurring["meter"]):
        raise invalid("A metered price needs recurring[meter], and no other price has one.", param="recurring[meter]")
    if metered:
        fake.find("billing.meter", recurring["meter"], "recurring[meter]")
    scheme = params.get("billing_scheme", "per_unit")
    _free_lookup_key(fake, params)
    price = fake.make(
        "price",
        active=True,
        billing_scheme=scheme,
        currency=params["currency"],
        product=params["product"],
        recurring=recurring,
        type="recurring",
        tiers_mode=params.get("tiers_mode"),
        tax_behavior=params.get("tax_behavior", "unspecified"),
        **_amount(params, scheme),
    )
    if scheme == "tiered":
        fake.things.setdefault("tiers", {})[price["id"]] = {"id": price["id"], "tiers": _tiers(params)}
    return fake.keep(merge(price, params, "lookup_key", "nickname"))


def _amount(params: Params, scheme: str) -> dict[str, Any]:
    if scheme == "tiered":
        if params.get("tiers_mode") not in ("graduated", "volume") or not params.get("tiers"):
            raise invalid("Tiered prices need tiers and tiers_mode.", param="tiers")
        return {"unit_amount": None, "unit_amount_decimal": None}
    given = params.get("unit_amount_decimal", params.get("unit_amount"))
    if given is None:
        raise invalid("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    amount = Decimal(given)
    return {"unit_amount": int(amount) if amount == int(amount) else None, "unit_amount_decimal": str(given)}


def _tiers(params: Params) -> list[Thing]:
    made, last = [], 0
    for tier in params["tiers"]:
        end = None if tier["up_to"] == "inf" else whole(tier["up_to"], "tiers[up_to]")
        if end is not None and end <= last:
            raise invalid("Each tier's up_to must be greater than that of the one before.", param="tiers")
        last = end or last
        unit, flat = (tier.get(name) for name in ("unit_amount_decimal", "flat_amount"))
        unit = unit if unit is not None else tier.get("unit_amount", "0")
        made.append({
            "up_to": end,
            "flat_amount": int(flat) if flat else None,
            "flat_amount_decimal": flat,
            "unit_amount": int(Decimal(unit)) if Decimal(unit) == int(Decimal(unit)) else None,
            "unit_amount_decimal": unit,
        })  # fmt: skip
    if made[-1]["up_to"] is not None:
        raise invalid("The last tier must have up_to=inf.", param="tiers")
    return made


def _free_lookup_key(fake: FakeStripe, params: Params) -> None:
    key = params.get("lookup_key")
    for price in fake.all("price"):
        if key and price["lookup_key"] == key:
            if params.get("transfer_lookup_key") != "true":
                raise invalid(f"A price (`{price['id']}`) already uses that lookup key.", param="lookup_key")
            price["lookup_key"] = None


def update_price(fake: FakeStripe, params: Params, name: str) -> Thing:
    price = fake.get("price", name)
    if params.get("lookup_key") != price["lookup_key"]:
        _free_lookup_key(fake, params)
    return merge(price, params, "lookup_key", "nickname")


def list_prices(fake: FakeStripe, params: Params) -> Thing:
    found = [
        price
        for price in fake.all("price")
        if ("lookup_keys" not in params or price["lookup_key"] in params["lookup_keys"])
        and params.get("product") in (None, price["product"])
        and params.get("active") in (None, str(price["active"]).lower())
    ]
    return fake.page(found, params, "/v1/prices")


def list_products(fake: FakeStripe, params: Params) -> Thing:
    found = [
        product
        for product in fake.all("product")
        if ("ids" not in params or product["id"] in params["ids"])
        and params.get("active") in (None, str(product["active"]).lower())
    ]
    return fake.page(found, params, "/v1/products")


def create_coupon(fake: FakeStripe, params: Params) -> Thing:
    percent, amount = params.get("percent_off"), params.get("amount_off")
    if (percent is None) == (amount is None):
        raise invalid("You must pass either percent_off or amount_off.", param="percent_off")
    coupon = fake.make(
        "coupon",
        id=params.get("id") or f"co_{len(fake.all('coupon')) + 1:06d}",
        percent_off=float(percent) if percent else None,
        amount_off=whole(amount, "amount_off") if amount else None,
        currency=params.get("currency"),
        duration=params.get("duration", "once"),
        times_redeemed=0,
        valid=True,
    )
    return fake.keep(merge(coupon, params, "name"))


def create_promotion_code(fake: FakeStripe, params: Params) -> Thing:
    coupon = fake.find("coupon", params["promotion"].get("coupon"), "promotion[coupon]")
    code = params.get("code") or f"CODE{len(fake.all('promotion_code')) + 1}"
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    made = fake.make("promotion_code", active=True, code=code, promotion=promotion, times_redeemed=0)
    return fake.keep(made)


def list_promotion_codes(fake: FakeStripe, params: Params) -> Thing:
    found = [p for p in fake.all("promotion_code") if params.get("code") in (None, p["code"])]
    return fake.page(found, params, "/v1/promotion_codes")


def create_customer(fake: FakeStripe, params: Params) -> Thing:
    customer = fake.make("customer", balance=0, delinquent=False, preferred_locales=[], tax_exempt="none")
    merge(customer, params, *CUSTOMER)
    fake.tell("customer.created", fake.keep(customer))
    return customer


CUSTOMER = ("email", "name", "description", "address")


def update_customer(fake: FakeStripe, params: Params, name: str) -> Thing:
    return merge(fake.get("customer", name), params, *CUSTOMER)


def list_customers(fake: FakeStripe, params: Params) -> Thing:
    found = [c for c in fake.all("customer") if params.get("email") in (None, c["email"])]
    return fake.page(found, params, "/v1/customers")


PAGING = "limit starting_after ending_before"
ROUTES = [
    Route("POST", "/v1/products", create_product, "name! id description metadata tax_code unit_label active"),
    Route("GET", "/v1/products", list_products, f"ids active {PAGING}"),
    Route("GET", "/v1/products/:id", lambda fake, _, name: fake.get("product", name)),
    Route("POST", "/v1/products/:id", update_product, "name description metadata tax_code unit_label active"),
    Route("POST", "/v1/prices", create_price,
          "currency! product! recurring unit_amount unit_amount_decimal billing_scheme tiers tiers_mode lookup_key "
          "transfer_lookup_key tax_behavior nickname metadata active"),
    Route("GET", "/v1/prices", list_prices, f"lookup_keys product active {PAGING}"),
    Route("GET", "/v1/prices/:id", lambda fake, _, name: fake.get("price", name)),
    Route("POST", "/v1/prices/:id", update_price, "active lookup_key transfer_lookup_key nickname metadata"),
    Route("POST", "/v1/coupons", create_coupon, "id percent_off amount_off currency duration name metadata"),
    Route("GET", "/v1/coupons/:id", lambda fake, _, name: fake.get("coupon", name)),
    Route("POST", "/v1/promotion_codes", create_promotion_code, "promotion! code metadata"),
    Route("GET", "/v1/promotion_codes", list_promotion_codes, f"code {PAGING}"),
    Route("POST", "/v1/customers", create_customer, "email name description address metadata"),
    Route("GET", "/v1/customers", list_customers, f"email {PAGING}"),
    Route("GET", "/v1/customers/:id", lambda fake, _, name: fake.get("customer", name)),
    Route("POST", "/v1/customers/:id", update_customer, "email name description address metadata"),
    Route("GET", "/v1/events",
          lambda fake, params: fake.page(fake.all("event"), params, "/v1/events"), f"type {PAGING}"),
    Route("GET", "/v1/events/:id", lambda fake, _, name: fake.get("event", name)),
]  # fmt: skip
