"""gunicorn for the upload host: `gunicorn -c uploader/gunicorn_conf.py wsgi:upload`.

Flags on the command line win over this file (`--bind`, `--workers`). The file comes up to gunicorn as a module, so
each name below is one of its settings.
"""

# Before anything else is imported: psycopg looks once, when it is imported, whether its waiting must be cooperative.
from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gunicorn.http.wsgi  # noqa: E402

from infra.settings import load  # noqa: E402
from uploader.rawbody import prepare_request  # noqa: E402

bind = f"0.0.0.0:{load().upload_port}"

# One event loop a process: hundreds of slow uploads cost a greenlet each. More processes use more cores.
worker_class = "gevent"
workers = 1
worker_connections = 2000

# Hands `Expect: 100-continue` to the app, and the request to the code that refuses bodies.
pre_request = prepare_request

# A phone on a train keeps its connection between two chunks.
keepalive = 20
# The worker's own heartbeat, not a limit on requests.
timeout = 60
# On SIGTERM running requests get so long, then they end with what has arrived committed, and clients resume.
graceful_timeout = 10


def post_worker_init(_worker: Any) -> None:
    """The event loop shares the interpreter with threads that hash and write: let it have its turn soon."""
    sys.setswitchinterval(0.0005)
    # What was loaded stays: collecting garbage among it would stop the loop for tens of milliseconds.
    gc.collect()
    gc.freeze()


# The Server header: neither a product's name nor its version.
gunicorn.http.wsgi.SERVER = "upload"
accesslog = None
proc_name = "vitrine-upload"
