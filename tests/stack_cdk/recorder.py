"""A pytest plugin that writes down which operations of AWS each method of the adapters calls, whoever calls it.

    VITRINE_OPERATIONS=var/operations.json python -m pytest -n 0 -p stack_cdk.recorder tests/contracts …

`before-call` is botocore's own event, sent once an operation; who calls is the outermost frame of `infra.aws`. What
a test or a double calls by itself, to set something up, has no such frame and is not written down.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from infra.aws.client import Clients

FOUND: dict[str, set[str]] = defaultdict(set)
_get = Clients.get


def _caller() -> str | None:
    """`module.Class.method` of the outermost call into an adapter: a port's method, or where a thread begins."""
    found, frame = None, sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("infra.aws.") and module != "infra.aws.client":
            found = f"{module.removeprefix('infra.aws.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _record(model: Any, **_: Any) -> None:
    if caller := _caller():
        FOUND[caller].add(f"{model.service_model.service_name}:{model.name}")


def _recording(self: Clients, service: str, **config: Any) -> Any:
    client = _get(self, service, **config)
    client.meta.events.register("before-call", _record, unique_id="vitrine-recorder")
    return client


def pytest_configure() -> None:
    Clients.get = _recording  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    path = Path(os.environ["VITRINE_OPERATIONS"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({module: sorted(found) for module, found in sorted(FOUND.items())}, indent=1) + "\n")
