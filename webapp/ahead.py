"""Questions to the database that a page will ask, asked together with its first one: each message takes the process as
long as what many a statement reads.

What a page asked when it was made last is what it is taken to ask now. A wrong guess costs an answer that nobody wants;
what was not guessed is asked when it is wanted. Only for pages for everybody: those are made again and again.
"""

from collections.abc import Hashable
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache
from flask import Flask, Response, current_app, g, request

from tenants.prepared import Asking, Question, Rows, key_of
from webapp import kept

MOST_PAGES = 4096

Guesses = LRUCache[tuple[str, str], tuple[Question, ...]]
_lock = Lock()


def init_app(app: Flask) -> None:
    app.extensions["vitrine.guesses"] = LRUCache(maxsize=MOST_PAGES)
    app.after_request(_remember)


def ask(tenant_id: str, *questions: Question) -> list[Rows]:
    """The rows of each statement for that tenant, apart from the request's session (`Asking.ask`)."""
    page: _Page | None = g.get("ahead")
    guessed: tuple[Question, ...] = ()
    if page is None:
        asking: Asking = current_app.extensions["vitrine.asking"]
        if kept.current_edition() is None or request.query_string:
            return asking.ask(tenant_id, *questions)
        page = g.ahead = _Page(asking, {}, [])
        with _lock:
            guessed = _guesses().get((tenant_id, request.path), ())
    answers = page.answers
    wanted = {key_of(question): question for question in questions}
    page.asked.extend(questions)
    missing = {key: question for key, question in wanted.items() if key not in answers}
    if missing:
        missing |= {key_of(question): question for question in guessed}
        answers |= zip(missing, page.asking.ask(tenant_id, *missing.values()), strict=True)
    return [answers.pop(key) for key in wanted]


class _Page(NamedTuple):
    """What has been answered and is still to be asked for, and what was asked for so far."""

    asking: Asking
    answers: dict[Hashable, Rows]
    asked: list[Question]


def _guesses() -> Guesses:
    found: Guesses = current_app.extensions["vitrine.guesses"]
    return found


def _remember(response: Response) -> Response:
    page: _Page | None = g.get("ahead")
    if page is not None and response.status_code == 200:
        with _lock:
            _guesses()[g.site.tenant_id, request.path] = tuple(page.asked)
    return response
