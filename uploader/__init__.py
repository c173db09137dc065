"""The upload fleet: resumable uploads on an endpoint of its own."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from infra.settings import Settings


def init_app(app: Flask) -> None:
    """Attach the tus routes."""
    from uploader import answers, known, limits
    from uploader.health import HealthCheck
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
    app.wsgi_app = HealthCheck(app.wsgi_app)  # type: ignore[method-assign]


def register_commands(app: Flask) -> None:
    """`relay`, `sweep`, `import`."""
    from uploader import cli

    cli.register(app)
