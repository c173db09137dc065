"""The composition root: the apps `web` and `upload`, and the command line (`flask --app wsgi …`)."""

from flask import Flask

from infra import access_log, logs, wiring
from infra.flask_app import App
from infra.settings import Settings, load
from infra.tally import Tally
from tenants.cli import register as register_tenants
from tenants.db import db, init_app
from tenants.operators import command as operator
from tenants.ready import ready
from tenants.trace import trace
from tenants.webhook_cli import group as webhook_commands


def core(settings: Settings | None = None) -> Flask:
    """An app with the database and the ports but no routes: what relay, bridge, workers and commands run in."""
    settings = settings or load()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log_format)
    app = App("vitrine", static_folder=None, template_folder=None, root_path=str(settings.data_dir))
    app.config["SECRET_KEY"] = settings.secret_key.get_secret_value()
    app.extensions["vitrine.settings"] = settings
    init_app(app, settings)
    with app.app_context():
        app.extensions["vitrine.ports"] = wiring.build(settings, db.engine)
    return app


def make_web(settings: Settings | None = None) -> Flask:
    """Tenant sites and dashboard, and where Stripe reports to."""
    import billing
    import webapp
    from tenants import prepared
    from webapp import delivered, kept

    app = core(settings)
    prepared.init_app(app)
    kept.init_app(app)
    delivered.init_app(app)
    _watch(app, "web", Tally(app.extensions["vitrine.ports"].metrics))
    webapp.init_app(app)
    app.extensions["vitrine.accountant"] = billing.accountant(app.extensions["vitrine.settings"])
    app.extensions["vitrine.statements"] = billing.make_statements()
    if (routes := billing.routes(app.extensions["vitrine.settings"])) is not None:
        webapp.attach(app, routes.hooks)
        app.register_blueprint(routes.desk)
    return app


def make_upload(settings: Settings | None = None) -> Flask:
    """The upload host."""
    import uploader
    from uploader import offload

    app = core(settings)
    _watch(app, "upload", Tally(app.extensions["vitrine.ports"].metrics, run=offload.in_app(app)))
    uploader.init_app(app)
    return app


def _watch(app: Flask, fleet: str, tally: Tally) -> None:
    """Log each request and count those that fail, in the metric `http.errors`."""
    app.extensions["vitrine.tally"] = tally
    proxies = app.extensions["vitrine.settings"].proxies
    access_log.init_app(app, fleet, proxies=proxies, failed=lambda: tally.add("http.errors", fleet=fleet))


def create_app(settings: Settings | None = None) -> Flask:
    """What `flask --app wsgi` runs commands in: every package's commands and tables, no routes."""
    # Imported for their tables as well: migrations compare the models with the database.
    import billing
    import processor
    import uploader
    from billing import alerts, budgets  # noqa: F401
    from processor import sample_video
    from tenants import (  # noqa: F401
        abuse,
        announcements,
        answered,
        api_tokens,
        audit,
        blocklist,
        catalog,
        claims,
        contributions,
        domains,
        downloads,
        editions,
        embeds,
        erasure,
        exports,
        features,
        guessing,
        guests,
        hiding,
        imported,
        invitations,
        moves,
        nesting,
        news,
        operator_log,
        outbox,
        passkeys,
        people,
        proofing,
        purges,
        quota,
        registry,
        search,
        sessions,
        sharing,
        support,
        tags,
        two_factor,
        usage,
        visits,
        webhooks,
    )

    app = core(settings)
    register_tenants(app)
    uploader.register_commands(app)
    processor.register_commands(app)
    billing.register_commands(app)
    app.cli.add_command(sample_video.command)
    app.cli.add_command(operator)
    app.cli.add_command(ready)
    app.cli.add_command(trace)
    app.cli.add_command(webhook_commands)
    return app


def __getattr__(name: str) -> Flask:
    # `gunicorn wsgi:web` and `gunicorn wsgi:upload` build just the app that they serve.
    makers = {"web": make_web, "upload": make_upload}
    if name in makers:
        return makers[name]()
    raise AttributeError(name)
