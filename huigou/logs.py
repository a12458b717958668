"""Log lines as fields: JSON where a machine reads them, plain at a terminal; none leaves with a phone number in it.

Everybody's lines pass here, those of Django, Celery and other libraries too: the number is cut out of the finished
line, tracebacks included, so that no call anywhere has to think of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter

from huigou.masking import redacted

Event = MutableMapping[str, Any]
PLAIN_FIELDS = (str, int, bool, type(None))


def _plain(logger: Any, name: str, event: Event) -> str:
    """Write level, logger, message and what else is known, then a traceback."""
    trace = event.pop("exception", "")
    head = f"{event.pop('level', '').upper()} {event.pop('logger', '')} {event.pop('event', '')}"
    event.pop("at", None)
    rest = "".join(f" {key}={value}" for key, value in event.items())
    return head + rest + (f"\n{trace}" if trace else "")


def _json(logger: Any, name: str, event: Event) -> str:
    return json.dumps(event, ensure_ascii=False, default=str)


def _only_plain_fields(logger: Any, name: str, event: Event) -> Event:
    """Drop what a library hangs onto a record as an object: a request's repr holds its query string."""
    kept = ("_record", "_from_structlog", "exc_info", "stack_info")
    return {key: value for key, value in event.items() if key in kept or isinstance(value, PLAIN_FIELDS)}


def _last(write: Callable[[Any, str, Event], str]) -> Callable[[Any, str, Event], str]:
    return lambda logger, name, event: redacted(write(logger, name, event))


def formatter(*, as_json: bool) -> logging.Formatter:
    """Return what turns a record into its line."""
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _only_plain_fields,
            structlog.processors.TimeStamper(fmt="iso", key="at"),
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _last(_json if as_json else _plain),
        ],
    )


def configuration(style: str) -> dict[str, Any]:
    """Return Django's LOGGING: one handler, to standard error, for everybody."""
    quiet = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "huigou.logs.formatter", "as_json": style == "json"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        # Django's own handlers would mail a traceback with its local variables.
        "loggers": {"django": quiet, "django.server": quiet, "axes": {"level": "WARNING"}},
    }
