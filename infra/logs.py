"""Structured logs: one event a line, with whatever ids are bound to the current context.

Nothing is logged that opens anything. Code names routes instead of paths; behind it stands `redact`, for what libraries
and servers say (gunicorn names the address of a request whose answer broke off).
"""

import logging
import re
import sys
from contextlib import suppress
from typing import TextIO

import structlog

_SECRETS = (
    # Addresses that carry their own authority: share links, media, embeds, invitations.
    (re.compile(r"(/(?:s|e|embed|invite|invitations|join|reset)/)[^/\s?\"']{16,}"), r"\1***"),
    (re.compile(r"(/m/[^/\s?\"']+/)[^/\s?\"']{16,}"), r"\1***"),
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    (re.compile(r"(?i)([?&](?:token|ticket|signature|x-amz-[a-z-]+|password)=)[^&\s\"']+"), r"\1***"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)"), r"\1***\2"),
)
_SUSPECT = re.compile(r"[/?&]|bearer", re.IGNORECASE)
"""What each of them has: most values have none of it, and there are some on every line."""


def redacted(text: str) -> str:
    """`text` without the secrets of addresses and headers in it."""
    if not _SUSPECT.search(text):
        return text
    for pattern, kept in _SECRETS:
        text = pattern.sub(kept, text)
    return text


def _redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redacted(value)
    return event


class _Lines:
    """What structlog writes to: a line is one write, which needs no lock that a worker could inherit, held, when it
    forks. A record of the standard library's on the way would take as long as all the rest of a line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # A disk that is full, or a terminal that is gone, must fail no request.
            self._file.write(f"{line}\n")
            self._file.flush()

    debug = info = warning = error = critical = exception = msg


def configure(style: str) -> None:
    """`text` for a terminal, `json` for a log collector. Standard-library loggers go the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.typing.Processor
    # Formatted here in either style: rich, where it is installed, would show the values of local variables.
    shared += [structlog.processors.format_exc_info, _redact]
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    lines = _Lines(sys.stderr)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: lines,
        cache_logger_on_first_use=False,  # Whoever configures anew means every logger.
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    server = logging.getLogger(
        "gunicorn.error"
    )  # It has a handler of its own, which would print addresses as they are.
    server.handlers.clear()
    server.propagate = True
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("flask-limiter").setLevel(logging.WARNING)  # It names whom it stops by ticket or share link.
    logging.getLogger("botocore").setLevel(logging.WARNING)  # It tells where each client's credentials come from.
