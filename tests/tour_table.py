"""Every page of the dashboard and of the operator's console, and how it comes into each of its states.

`empty` is the page of somebody who has nothing yet, `full` of somebody who has a great deal, `loading` while something
is in work, `wrong` after a form was sent with what cannot be. A state that a page does not have by its nature says why.
What the paths are filled with is in `tour_stage`.
"""

from dataclasses import dataclass
from typing import NamedTuple


class View(NamedTuple):
    """Who looks (a tenant's host, `operator`, or `stranger` for nobody who is signed in), and at what."""

    who: str
    path: str


class Never(NamedTuple):
    """The page has no such state."""

    because: str


class Wrong(NamedTuple):
    """A form that is sent with these fields; it is found by the first of them. `status` is that of the answer."""

    view: View
    fields: dict[str, str]
    status: int = 422


@dataclass(frozen=True)
class Row:
    endpoint: str
    full: View | Never
    empty: View | Never
    wrong: Wrong | Never
    loading: View | Never

    def states(self) -> dict[str, View | Wrong]:
        every = {"empty": self.empty, "loading": self.loading, "full": self.full, "wrong": self.wrong}
        return {name: state for name, state in every.items() if not isinstance(state, Never)}


AT_ONCE = Never("what it shows is there at once")
ONE_THING = Never("it is about one thing, which is there or is not found")
NO_FORM = Never("it has no form that takes words")
BUTTONS = Never("its forms are buttons and choices, which are never wrong")
A_FORM = Never("it is a form, and the same for everybody")

ALBUM = "/dashboard/albums/{album_id}"
NOTHING = "/dashboard/albums/{empty_album}"
HOOK = "/dashboard/webhooks/{webhook_id}"


def _dashboard(
    name: str,
    path: str,
    *,
    empty: View | Never | None = None,
    wrong: dict[str, str] | Wrong | Never = NO_FORM,
    loading: View | Never = AT_ONCE,
    full: View | Never | None = None,
) -> Row:
    """A page whose empty state is gamma's and whose full state is alpha's, unless another is named."""
    view = full or View("alpha", path)
    if isinstance(wrong, dict):
        assert isinstance(view, View)
        wrong = Wrong(view, wrong)
    return Row(f"dashboard.{name}", view, empty or View("gamma", path), wrong, loading)


def _operator(
    name: str,
    path: str,
    *,
    empty: View | Never,
    wrong: dict[str, str] | Wrong | Never = NO_FORM,
    loading: View | Never = AT_ONCE,
) -> Row:
    view = View("operator", path)
    return Row(f"operator.{name}", view, empty, Wrong(view, wrong) if isinstance(wrong, dict) else wrong, loading)


PAGES = [
    _dashboard("albums", "/dashboard/", loading=View("beta", "/dashboard/")),
    _dashboard("new_album", "/dashboard/albums/new", empty=A_FORM, wrong={"title": " "}),
    _dashboard("album", ALBUM, empty=View("alpha", NOTHING), loading=View("beta", ALBUM)),
    _dashboard("album_settings", f"{ALBUM}/settings", empty=View("alpha", f"{NOTHING}/settings"), wrong={"title": " "}),
    _dashboard("shares", f"{ALBUM}/share", empty=View("alpha", f"{NOTHING}/share"), wrong={"password": "abc"}),
    _dashboard("share_terms", f"{ALBUM}/share/{{link_id}}", empty=ONE_THING, wrong={"password": "abc"}),
    _dashboard(
        "album_embeds",
        f"{ALBUM}/embed",
        empty=View("alpha", f"{NOTHING}/embed"),
        wrong={"origins": "ftp://example.com"},
    ),
    _dashboard("album_guests", f"{ALBUM}/guests", empty=View("alpha", f"{NOTHING}/guests"), wrong=BUTTONS),
    _dashboard(
        "asset", f"{ALBUM}/assets/{{asset_id}}", empty=ONE_THING, loading=View("beta", f"{ALBUM}/assets/{{asset_id}}")
    ),
    _dashboard(
        "replace_page",
        f"{ALBUM}/assets/{{asset_id}}/replace",
        empty=View("alpha", "/dashboard/albums/{lone_album}/assets/{lone}/replace"),
    ),
    _dashboard("newsroom", "/dashboard/news"),
    _dashboard("hide_requests", "/dashboard/requests", wrong={"reason": ""}),
    _dashboard("visits_page", "/dashboard/visits"),
    _dashboard("trash", "/dashboard/trash"),
    _dashboard("duplicates_page", "/dashboard/duplicates"),
    _dashboard("brand", "/dashboard/brand", wrong={"name": " "}),
    _dashboard(
        "watermark", "/dashboard/watermark", wrong={"text": "x" * 99}, loading=View("beta", "/dashboard/watermark")
    ),
    _dashboard("domains_page", "/dashboard/domains", wrong={"host": "not a host"}),
    _dashboard(
        "domain",
        "/dashboard/domains/{host}?look=1",
        empty=View("alpha", "/dashboard/domains/{host}"),
        loading=View("beta", "/dashboard/domains/{host}"),
    ),
    _dashboard("privacy", "/dashboard/privacy", empty=A_FORM, wrong=BUTTONS),
    _dashboard("data", "/dashboard/data", wrong={"slug": "other"}, loading=View("beta", "/dashboard/data")),
    _dashboard("members", "/dashboard/members", wrong={"email": "nobody"}),
    _dashboard("tokens", "/dashboard/api", wrong={"name": " "}),
    _dashboard(
        "hooks", "/dashboard/webhooks", wrong={"url": "ftp://example.com"}, loading=View("beta", "/dashboard/webhooks")
    ),
    _dashboard("hook", HOOK, empty=View("alpha", "/dashboard/webhooks/{quiet_hook}"), loading=View("beta", HOOK)),
    _dashboard("bill", "/dashboard/usage?photos=2000&gigabytes=20&minutes=60"),
    _dashboard("bill_parts", "/dashboard/usage/parts/{code}?{span}"),
    _dashboard("plan", "/dashboard/usage/plan", wrong=BUTTONS),
    _dashboard("invoice", "/dashboard/usage/invoices/{number}", empty=ONE_THING),
    _dashboard("audit_log", "/dashboard/log", empty=View("alpha", "/dashboard/log?words=nobody")),
    _dashboard("support", "/dashboard/support", wrong=BUTTONS),
    _dashboard("account", "/dashboard/account", wrong={"current": "not it", "password": "short"}),
    _dashboard(
        "new_passkey",
        "/dashboard/account/passkeys/new",
        empty=A_FORM,
        wrong=Never("its script answers beside the form (tests/browser/test_passkeys.py)"),
    ),
    _dashboard(
        "two_factor",
        "/dashboard/account/two-factor",
        full=View("viewer", "/dashboard/account/two-factor"),
        wrong=Wrong(View("gamma", "/dashboard/account/two-factor"), {"code": "12", "current": "not it"}),
    ),
    _dashboard(
        "join",
        "/dashboard/join/{token}",
        empty=ONE_THING,
        full=View("stranger-beta", "/dashboard/join/{token}"),
        wrong={"password": "short"},
    ),
    _dashboard(
        "sign_in",
        "/dashboard/sign-in",
        empty=A_FORM,
        full=View("stranger-beta", "/dashboard/sign-in"),
        wrong=Wrong(
            View("stranger-beta", "/dashboard/sign-in"), {"email": "vera@example.com", "password": "not it"}, 401
        ),
    ),
    _dashboard(
        "forgotten",
        "/dashboard/forgotten",
        empty=A_FORM,
        full=View("stranger-beta", "/dashboard/forgotten"),
        wrong={"email": ""},
    ),
    _dashboard(
        "reset_password",
        "/dashboard/reset/{reset}",
        empty=ONE_THING,
        full=View("stranger-beta", "/dashboard/reset/{reset}"),
        wrong={"password": "short"},
    ),
    _dashboard(
        "second_step",
        "/dashboard/sign-in/code",
        empty=A_FORM,
        full=View("half", "/dashboard/sign-in/code"),
        wrong=Wrong(View("half", "/dashboard/sign-in/code"), {"code": "000000"}, 401),
    ),
    Row(
        "operator.enter",
        View("stranger-operator", "/operator/"),
        A_FORM,
        Wrong(View("stranger-operator", "/operator/"), {"code": "none"}, 401),
        AT_ONCE,
    ),
    _operator("tenants", "/operator/tenants", empty=View("operator", "/operator/tenants?q=nobody")),
    _operator("new_tenant", "/operator/tenants/new", empty=A_FORM, wrong={"slug": "No Name"}),
    _operator(
        "tenant",
        "/operator/tenants/{tenant_id}",
        empty=View("operator", "/operator/tenants/{suspended}"),
        wrong={"reason": ""},
    ),
    _operator("queue", "/operator/queue", empty=View("before", "/operator/queue"), wrong={"reason": ""}),
    _operator("broken_domains", "/operator/domains", empty=View("before", "/operator/domains"), wrong=BUTTONS),
    _operator("reports", "/operator/reports?all=1", empty=View("before", "/operator/reports")),
    _operator("report", "/operator/reports/{tenant_id}/{report_id}", empty=ONE_THING, wrong={"reason": ""}),
    _operator("blocked", "/operator/blocked", empty=View("before", "/operator/blocked"), wrong={"reason": ""}),
    _operator("features", "/operator/features", empty=View("before", "/operator/features"), wrong=BUTTONS),
    _operator(
        "announcements", "/operator/announcements", empty=View("before", "/operator/announcements"), wrong={"text": " "}
    ),
    _operator("margin", "/operator/margin", empty=View("operator", "/operator/margin?month=2023-01")),
    _operator("log", "/operator/log", empty=View("operator", "/operator/log?q=nobody")),
]
NO_PAGES = {
    "a file to keep": (
        "dashboard.guest_data_file",
        "dashboard.export_favourites",
        "dashboard.export_selection",
        "dashboard.archive",
        "dashboard.audit_export",
        "dashboard.invoice_pdf",
        "operator.margin_csv",
    ),
    "a picture": ("dashboard.share_code", "dashboard.watermark_preview", "operator.reported_picture"),
    "a part of a page, asked for by its script": (
        "dashboard.progress",
        "dashboard.data_progress",
        "dashboard.passkey_options",
        "dashboard.price",
        "dashboard.watermark_progress",
    ),
    "in a frame of the brand's page": ("dashboard.brand_preview",),
}
REFUSALS = {
    "404": View("alpha", "/dashboard/albums/01hzzzzzzzzzzzzzzzzzzzzzzz"),
    "403": View("viewer", "/dashboard/brand"),
    "429": View("alpha", "/dashboard/domains/{host}?look=1"),
    "503": View("alpha", "/dashboard/visits"),
    "404-no-site": View("nobody", "/dashboard/"),
    "404-operator": View("operator", "/operator/tenants/01hzzzzzzzzzzzzzzzzzzzzzzz"),
}
"""What is refused, as a page; the status is in front."""
