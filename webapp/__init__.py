"""The web fleet: tenant sites, dashboard, API, embeds."""

from pathlib import Path

from flask import Blueprint, Flask
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from infra.health import Health
from infra.settings import Settings
from tenants.readiness import Readiness
from webapp import (
    ahead,
    api,
    assets,
    auth,
    brand,
    canonical,
    certificates,
    counting,
    dashboard,
    delivery,
    download,
    embed,
    headers,
    host,
    language,
    limits,
    operator,
    problems,
    site,
    standing,
    words,
)

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Attach every route of the web fleet. The order of the hooks matters: host, then session, then CSRF."""
    settings: Settings = app.extensions["vitrine.settings"]
    app.template_folder = str(Path(__file__).parent / "templates")
    app.jinja_options = {**app.jinja_options, "trim_blocks": True, "lstrip_blocks": True}
    if settings.proxies:
        # X-Forwarded-Host is never believed: the proxy in front passes the real Host header on.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0, x_port=0, x_prefix=0
        )
    problems.init_app(app)
    host.init_app(app)
    ahead.init_app(app)
    auth.init_app(app)
    standing.init_app(app)
    delivery.init_app(app)
    counting.init_app(app)
    csrf.init_app(app)
    limits.init_app(app)
    headers.init_app(app)
    language.init_app(app)
    words.init_app(app)
    assets.init_app(app)
    brand.init_app(app)
    certificates.init_app(app)
    canonical.init_app(app)
    site.init_app(app)
    download.init_app(app)
    embed.init_app(app)
    dashboard.init_app(app)
    csrf.exempt(dashboard.support.enter_support)
    csrf.exempt(api.blueprint.bp)
    api.init_app(app)
    operator.init_app(app)
    app.wsgi_app = Health(app.wsgi_app, Readiness(app, "web").words)  # type: ignore[method-assign]


def attach(app: Flask, blueprint: Blueprint) -> None:
    """Register routes of another package that machines call: on whatever host, without a session or a form token."""
    csrf.exempt(blueprint)
    host.any_host(app, blueprint)
    app.register_blueprint(blueprint)
