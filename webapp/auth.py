"""Who is looking: members by Flask-Login, visitors by the share links that their session opened.

A session names its tenant. On any other host it is nobody's: it is emptied before anything reads it. Nothing in a
session is believed for longer than a request: members and links are looked up again each time, so a changed password,
a removed member or a revoked link ends access at once.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, wraps
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from flask import Flask, Request, Response, g, redirect, request, session
from flask.ctx import _AppCtxGlobals
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from sqlalchemy import select

from infra.errors import Problem
from infra.settings import Settings
from tenants import people, sessions, support
from tenants.delivery import by_link
from tenants.people import Member, Role
from tenants.sharing import DOWNLOADS, Rights, ShareLink, Viewer
from tenants.support import Supporter
from webapp.host import MEDIA
from webapp.problems import prefers_page

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)

SIGN_IN_PATH = "/dashboard/sign-in"
SECURE_COOKIE, PLAIN_COOKIE = "__Host-session", "session"
"""Neutral names: visitors of a tenant's site are not told who hosts it."""
SESSION_LIFETIME = timedelta(days=30)
MOST_LINKS = 24
"""Share links that one session remembers; the oldest falls out, so the cookie stays below 4 KB."""

login_manager = LoginManager()
login_manager.session_protection = None  # It ties sessions to addresses, which phones change all day.


@dataclass(frozen=True)
class Pass:
    """A link that this session opened and that still opens. `guest_id` is who they said they are, empty for nobody."""

    link: ShareLink
    pin_given: bool
    guest_id: str

    @property
    def rights(self) -> Rights:
        return self.link.rights if self.pin_given else self.link.rights & ~DOWNLOADS

    @property
    def wants_pin(self) -> bool:
        """Whether a PIN would allow more than this."""
        return self.rights != self.link.rights


class _RequestGlobals(_AppCtxGlobals):
    """`g` with a `viewer` that is worked out when first asked for: media requests never do."""

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        return tuple(_passes())

    @cached_property
    def viewer(self) -> Viewer:
        role = current_user.role if session and current_user.is_authenticated else None
        grants: dict[str, Rights] = {}
        # The way into an album is that of the last link; one that shows pictures without the watermark comes last.
        passes = sorted(self.passes, key=lambda each: each.link.marks is False)
        for each in passes:
            grants[each.link.album_id] = grants.get(each.link.album_id, Rights.VIEW) | each.rights
        waiting = frozenset(each.link.album_id for each in passes if each.wants_pin)
        return Viewer(
            tenant_id=self.site.tenant_id,
            role=role,
            grants=grants,
            without_pin=waiting,
            ways={each.link.album_id: by_link(each.link.id) for each in passes},
            marks={each.link.album_id: each.link.marks for each in passes},
            marks_by_default=self.site.tenant.marks,
        )


@dataclass(frozen=True)
class _Opened:
    """What a session keeps of one link: marks of the password and the PIN that were given, and a guest's id."""

    password: str
    pin: str = ""
    guest: str = ""

    @classmethod
    def read(cls, kept: str) -> "_Opened":
        return cls(*kept.split(".")[:3])

    def __str__(self) -> str:
        return f"{self.password}.{self.pin}.{self.guest}"


class _TenantSessions(SecureCookieSessionInterface):
    """Writes the tenant into every session, whoever started it: a sign-in, a share link or a form's CSRF token."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # Most visitors have none, and to make ready for reading one takes as long as reading it.
        return super().open_session(app, request) if request.cookies else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint in MEDIA:
            return  # Nothing of a picture depends on a session, so nothing may say that it does (Vary).
        if session and "site" in g and "tenant" not in session:
            session["tenant"] = g.site.tenant_id
        super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["vitrine.settings"]
    app.config.update(
        # A `__Host-` cookie is Secure, host-only and for the whole site (RFC 6265bis, 4.1.3.2).
        SESSION_COOKIE_NAME=SECURE_COOKIE if settings.secure_cookies else PLAIN_COOKIE,
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN=None,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_TIME_LIMIT=None,  # As long as the session: a form left open over lunch still works.
    )
    app.session_interface = _TenantSessions()
    app.app_ctx_globals_class = _RequestGlobals
    app.before_request(_bind_session)
    # Templates that ask who is signed in may do so; the others need not be told.
    login_manager.init_app(app, add_context_processor=False)
    app.add_template_global(current_user, "current_user")


def _bind_session() -> None:
    g.pop("viewer", None)
    g.pop("passes", None)
    if "site" in g and session and session.get("tenant") != g.site.tenant_id:
        session.clear()


@login_manager.user_loader  # type: ignore[untyped-decorator]
def _load_member(session_id: str) -> Member | Supporter | None:
    if "site" not in g:
        return None  # Templates ask who is signed in even for a neutral page, on a host that is nobody's.
    if session_id.startswith(f"{support.PREFIX}:"):
        supporter = support.load(g.site.session, session_id, g.site.tenant_id, g.site.now())
        if supporter is not None:
            g.support = supporter  # What they do from here on is written down (webapp/dashboard/support.py).
        return supporter
    member = people.load(g.site.session, session_id, g.site.tenant_id)
    if member is None or "sid" not in session:
        return member
    kept = sessions.find(g.site.session, g.site.tenant_id, session["sid"])
    return member if kept is not None and kept.member_id == member.id else None


def open_share(link: ShareLink, *, guest_id: str = "") -> None:
    """Let this session see what the link opens, for as long as the link and its password stay as they are."""
    before = _opened(link)
    guest_id = guest_id or (before.guest if before else "")
    _keep(link, _Opened(password=_mark(link.password_hash), pin=before.pin if before else "", guest=guest_id))


def give_pin(link: ShareLink) -> None:
    """The link's PIN was right: downloads are allowed, until the PIN changes."""
    before = _opened(link)
    if before is not None:
        _keep(link, replace(before, pin=_mark(link.pin_hash)))


def become(link: ShareLink, guest_id: str) -> None:
    """From now on, what this session leaves by this link is this guest's."""
    before = _opened(link)
    if before is not None:
        _keep(link, replace(before, guest=guest_id))


def holds(link: ShareLink) -> bool:
    """Whether this session has opened the link, with the password that it has now."""
    opened = _opened(link)
    return opened is not None and opened.password == _mark(link.password_hash)


def is_named(link: ShareLink) -> bool:
    """Whether this session said who it is, or need not."""
    opened = _opened(link)
    return not link.asks_name or bool(opened and opened.guest)


def _opened(link: ShareLink) -> _Opened | None:
    kept = session.get("shares", {}).get(link.id)
    return _Opened.read(kept) if kept is not None else None


def _keep(link: ShareLink, opened: _Opened) -> None:
    shares = dict(session.get("shares", {}))
    shares.pop(link.id, None)
    shares[link.id] = str(opened)
    session["tenant"] = link.tenant_id
    session["shares"] = dict(list(shares.items())[-MOST_LINKS:])
    session.permanent = True
    g.pop("viewer", None)
    g.pop("passes", None)


def _passes() -> Iterator[Pass]:
    """The latest opened link last."""
    kept = session.get("shares")
    if not kept:
        return
    now = g.site.now()
    found = {link.id: link for link in g.site.session.scalars(select(ShareLink).where(ShareLink.id.in_(list(kept))))}
    for link_id in kept:
        link = found.get(link_id)
        opened = _opened(link) if link is not None else None
        if link is None or opened is None or not (link.is_live(now) and holds(link) and is_named(link)):
            continue
        pin_given = link.pin_hash is None or opened.pin == _mark(link.pin_hash)
        yield Pass(link, pin_given, opened.guest)


def _mark(stored: str | None) -> str:
    return hashlib.sha256((stored or "").encode()).hexdigest()[:12]


def require(role: Role) -> Callable[[Callable[P, R]], Callable[P, R | ResponseReturnValue]]:
    """Only members with at least `role` get through. Others: people to the sign-in page and back, programs 401;
    a member whose role is too low gets 403."""

    def decorate(view: Callable[P, R]) -> Callable[P, R | ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | ResponseReturnValue:
            held = g.viewer.role
            if held is None:
                if request.method == "GET" and prefers_page():
                    return redirect(f"{SIGN_IN_PATH}?next={quote(request.full_path.removesuffix('?'))}", 303)
                raise Problem("sign-in", "Sign in to the dashboard, then try again.")
            if not held.at_least(role):
                raise Problem("forbidden", "This needs the role “%(role)s” or higher.", values={"role": role.value})
            return view(*args, **kwargs)

        return guarded

    return decorate
