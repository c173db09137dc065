"""Counts visits of public pages (`tenants/visits.py`) without slowing them: noted in memory, written every few seconds.

Not counted: members, programs that say so, what a browser fetches in advance, parts of pages that scripts ask for. A
page that is answered from a kept copy (`webapp/kept.py`) costs one more entry in a list. A process that ends loses the
last seconds.
"""

import re
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from tenants import visits
from tenants.domains import normalise
from tenants.scope import open_site
from tenants.visits import DOWNLOADS, PHOTOS, VIEWS, Visit

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
MOST_WAITING = 20_000
"""Visits that wait in memory, about 10 MB; what comes beyond is not counted."""
COUNTED = {
    "site.home": VIEWS,
    "site.album": VIEWS,
    "site.photo": PHOTOS,
    "site.original": DOWNLOADS,
    "site.full_size": DOWNLOADS,
    "site.web_size": DOWNLOADS,
    "download.archive": DOWNLOADS,
}
"""Endpoints and what a visit to each is counted as."""
_KEPT = re.compile(r"/(?:a/(?P<slug>[^/]+))?")
_PROGRAMS = re.compile(
    r"bot\b|bot[/_-]|crawl|spider|slurp|preview|fetch|monitor|scan|curl|wget|python|java/|go-http|headless|lighthouse"
    r"|facebookexternalhit|werkzeug|whatsapp|embedly|pingdom|uptime",
    re.IGNORECASE,
)

Environ = dict[str, Any]


class Waiting:
    """What one process has seen and not written yet."""

    def __init__(self, app: Flask, *, every: float = EVERY_SECONDS) -> None:
        self._app, self._every = app, every
        self._lock = threading.Lock()
        self._visits: list[tuple[str, Visit]] = []
        self._timer: threading.Timer | None = None

    def add(self, tenant_id: str, visit: Visit) -> None:
        with self._lock:
            if len(self._visits) < MOST_WAITING:
                self._visits.append((tenant_id, visit))
            if self._timer is None:
                self._timer = threading.Timer(self._every, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what there is now. What the database refuses is lost: visits are not worth a retry."""
        with self._lock:
            waiting, self._visits = self._visits, []
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
        by_tenant: dict[str, list[Visit]] = defaultdict(list)
        for tenant_id, visit in waiting:
            by_tenant[tenant_id].append(visit)
        with self._app.app_context():
            for tenant_id, seen in sorted(by_tenant.items()):
                self._write(tenant_id, seen)

    @staticmethod
    def _write(tenant_id: str, seen: list[Visit]) -> None:
        try:
            with open_site(tenant_id) as site:
                visits.write(site.session, tenant_id, seen, now=site.now())
                site.session.commit()
        except (SQLAlchemyError, LookupError) as error:
            log.warning("visits are not counted", tenant=tenant_id, visits=len(seen), error=str(error))


def init_app(app: Flask) -> None:
    app.extensions["vitrine.visits"] = Waiting(app)
    app.after_request(_note)


def note_kept(app: Flask, environ: Environ, tenant_id: str) -> None:
    """A page was answered from its kept copy. `kept.py` calls it for paths of the home page and of albums."""
    found = _KEPT.fullmatch(environ.get("PATH_INFO", ""))
    if found and "part=" not in environ.get("QUERY_STRING", "") and not _passed_over(environ):
        slug = found["slug"] or ""
        # WSGI has paths as Latin-1 (PEP 3333).
        slug = slug.encode("latin-1").decode("utf-8", "replace")
        app.extensions["vitrine.visits"].add(tenant_id, _visit(environ, VIEWS, slug, ""))


def _note(response: Response) -> Response:
    what = COUNTED.get(request.endpoint or "")
    if what is None or response.status_code not in (200, 302, 303) or "site" not in g or request.args.get("part"):
        return response
    redirected = response.status_code != 200
    if (redirected and what != DOWNLOADS) or _passed_over(request.environ) or g.viewer.role is not None:
        return response
    given = request.view_args or {}
    visit = _visit(request.environ, what, str(given.get("slug", "")), str(given.get("asset_id", "")))
    _waiting().add(g.site.tenant_id, visit)
    return response


def _waiting() -> Waiting:
    found: Waiting = current_app.extensions["vitrine.visits"]
    return found


def _passed_over(environ: Environ) -> bool:
    """Whether this is not somebody who looks at the page."""
    agent = environ.get("HTTP_USER_AGENT", "")
    advance = "prefetch" in str(environ.get("HTTP_SEC_PURPOSE") or environ.get("HTTP_PURPOSE"))
    resumed = not environ.get("HTTP_RANGE", "bytes=0-").startswith("bytes=0-")
    return environ["REQUEST_METHOD"] == "HEAD" or not agent or advance or resumed or bool(_PROGRAMS.search(agent))


def _visit(environ: Environ, what: str, slug: str, asset: str) -> Visit:
    return Visit(
        what=what,
        slug=slug,
        asset=asset,
        address=environ.get("REMOTE_ADDR", ""),
        agent=environ.get("HTTP_USER_AGENT", "")[:400],
        referrer=_referrer(environ),
    )


def _referrer(environ: Environ) -> str:
    """The host that led here, empty for none and for this very site. No more of the address is looked at."""
    try:
        host = normalise(urlsplit(environ.get("HTTP_REFERER", "")[:2000]).hostname or "")
    except ValueError:
        return ""
    return "" if host is None or host == normalise(environ.get("HTTP_HOST", "")) else host
