"""The upload fleet: resumable uploads on an endpoint of its own."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from infra.health import Health
from infra.settings import Settings
from tenants.readiness import Readiness


def init_app(app: Flask) -> None:
    """Attach the tus routes."""
    from uploader import answers, known, limits, offload
    from uploader.protocol import MethodOverride
    from uploader.routes import routes

    settings: Settings = app.extensions["vitrine.settings"]
    app.register_blueprint(routes)
    app.register_blueprint(known.routes)
    answers.init_app(app)
    limits.init_app(app)
    app.wsgi_app = MethodOverride(app.wsgi_app)  # type: ignore[method-assign]
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    lanes = {"database": offload.in_app(app), "blobs": offload.in_app(app, offload.BYTES)}
    app.wsgi_app = Health(app.wsgi_app, Readiness(app, "upload", lanes).words)  # type: ignore[method-assign]


def register_commands(app: Flask) -> None:
    """`relay`, `sweep`, `import`."""
    from uploader import cli

    cli.register(app)
