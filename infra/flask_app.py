"""Flask as all apps have it: without what it does for views that are coroutines, and quick about missing parameters."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.datastructures import ImmutableMultiDict


class App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine here. To look whether one is, for two dozen functions a request, takes longer than
        most of them."""
        return func


class _Fields(ImmutableMultiDict[str, Any]):
    """Werkzeug makes and catches a whole HTTP error for each parameter that is not there."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # noqa: A002
        return super().get(key, default, type) if key in self else default


class _Request(Request):
    parameter_storage_class = _Fields
    dict_storage_class = _Fields


App.request_class = _Request
