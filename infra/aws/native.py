"""Threads as the operating system has them, in a process whose `threading` gevent may have replaced.

The upload server runs this package in native threads beside gevent's event loop. gevent's lock, held in one of them
and wanted in another, can wait forever: the waiter's own event loop has nothing else that would wake it.
"""

import sys
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Callable
from typing import Any


def lock() -> LockType:
    """A lock between native threads."""
    made: LockType = _original("_thread", "allocate_lock", allocate_lock)()
    return made


def start(function: Callable[[], None]) -> None:
    """Run `function` in a native thread that the process's end does not wait for.

    A thread of gevent's is a greenlet of the event loop that starts it. That of a native thread which waits for work
    does not turn, so a greenlet that was started in one may never run again.
    """
    _original("_thread", "start_new_thread", start_new_thread)(function, ())


def event_loop() -> int:
    """Which event loop a socket made now belongs to: the native thread's own under gevent, 0 where there is none."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("socket"):
        return 0
    return int(monkey.get_original("_thread", "get_ident")())


def _original(module: str, name: str, otherwise: Any) -> Any:
    monkey = sys.modules.get("gevent.monkey")
    return otherwise if monkey is None else monkey.get_original(module, name)
