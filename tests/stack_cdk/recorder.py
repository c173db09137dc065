"""A pytest plugin that writes down which operations of AWS each method of the adapters calls, whoever calls it.

    VITRINE_OPERATIONS=var/operations.json python -m pytest -n 0 -p stack_cdk.recorder tests/contracts …

Every operation of every client goes through botocore's `_make_api_call` (an event would come after a fake's answer).
Who calls is the outermost frame of `infra.aws`: what a test or a double calls to set something up has none.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

FOUND: dict[str, set[str]] = defaultdict(set)
_call = BaseClient._make_api_call


def _caller() -> str | None:
    """`module.Class.method` of the outermost call into an adapter: a port's method, or where a thread begins."""
    found, frame = None, sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("infra.aws.") and module != "infra.aws.client":
            found = f"{module.removeprefix('infra.aws.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _recording(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
    if caller := _caller():
        FOUND[caller].add(f"{self.meta.service_model.service_name}:{operation_name}")
    return _call(self, operation_name, api_params)


def pytest_configure() -> None:
    BaseClient._make_api_call = _recording


def pytest_sessionfinish() -> None:
    path = Path(os.environ["VITRINE_OPERATIONS"])
    path.parent.mkdir(parents=True, exist_ok=True)
    for method, operations in json.loads(path.read_text()).items() if path.exists() else ():
        FOUND[method].update(operations)  # Of another run: the suites may be recorded one by one.
    path.write_text(json.dumps({module: sorted(found) for module, found in sorted(FOUND.items())}, indent=1) + "\n")
