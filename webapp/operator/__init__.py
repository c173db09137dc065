"""The operator's console, on a host of the deployment's own: tenants, queue, domains, reports, switches, news, log.

It tells of all tenants and belongs to none, so no tenant's host has it and no member's session opens it.
"""

from flask import Flask

from webapp.operator import announcements, domains, entrance, features, log, margin, queue, reports, tenant, tenants
from webapp.operator.mount import bp

VIEWS = (entrance, tenants, tenant, queue, domains, reports, features, announcements, margin, log)
"""Importing them hangs their routes on the blueprint."""


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
