"""What happened while nobody was looking."""

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.sql import reading
from tenants import news
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note

SHOWN = 100


@bp.get("/news")
@require(Role.EDITOR)
def newsroom() -> ResponseReturnValue:
    return render_template("dashboard/news.html", items=news.latest(g.site.session, SHOWN))


@bp.post("/news/seen")
@require(Role.EDITOR)
def news_seen() -> ResponseReturnValue:
    news.mark_seen(g.site.session, g.site.tenant_id, now=g.site.now())
    note("news.read")
    return done(_("Nothing new any more."), back=url_for("dashboard.newsroom"))


@bp.app_template_global()
def unseen_news() -> int:
    """For the number beside the word in the bar."""
    with reading():
        return news.unseen(g.site.session)
