"""gunicorn's configuration of the web fleet: `gunicorn -c webapp/gunicorn_conf.py`."""

import gc
from typing import Any

import gunicorn.http.wsgi

from infra.settings import load
from webapp import assets

_settings = load()

wsgi_app = "wsgi:web"
bind = f"0.0.0.0:{_settings.web_port}"
worker_class = "webapp.threads.Threads"
workers = 2
threads = 8
preload_app = False  # Each worker opens its own database connections.
timeout = 60
graceful_timeout = 30
keepalive = 15
max_requests = 20_000
max_requests_jitter = 2_000
# Which proxies are believed is for ProxyFix alone to decide (`VITRINE_PROXIES`): gunicorn believes nobody.
forwarded_allow_ips = ""
control_socket_disable = True  # One path a user, so a second fleet on the machine would take it over.
gunicorn.http.wsgi.SERVER = "web"  # The Server header: neither a product's name nor its version.
accesslog = None
errorlog = "-"


def post_worker_init(_worker: Any) -> None:
    """What was imported stays for as long as the process: the collector need not walk half a million objects again and
    again."""
    gc.collect()
    gc.freeze()


def on_starting(_server: Any) -> None:
    """Stop with one clear line rather than serve pages without styles."""
    assets.require_build()
