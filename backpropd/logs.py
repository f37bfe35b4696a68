"""Log lines for people or as JSON, each with its request, job and tenant where there are any.

They hold no key and no row of data: of an error that nobody foresaw they have the type and the place, not its text,
which may quote what was being read.
"""

from __future__ import annotations

import logging
import sys
import traceback

import structlog
from structlog.types import EventDict, ExcInfo, Processor

from backpropd.config import Settings


def set_up(settings: Settings) -> None:
    """Have every line of this process, whoever logs it, written to standard error in the form that is set."""
    about: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_place),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=about,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(settings)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _renderer(settings: Settings) -> Processor:
    return structlog.processors.JSONRenderer() if settings.log_format == "json" else _for_people


def _for_people(_logger: object, _name: str, event: EventDict) -> str:
    """`INFO worker.runner: the words, job_id=…`, and below it the place of an error."""
    del event["timestamp"]  # whoever collects lines for people adds their time
    head = f"{event.pop('level').upper()} {event.pop('logger')}: {event.pop('event')}"
    place = event.pop("exception", None)
    line = ", ".join([head, *(f"{name}={value}" for name, value in sorted(event.items()))])
    return f"{line}\n{place}" if place else line


def _place(exc_info: ExcInfo) -> str:
    """An error's type and where it came from, and what it came from in turn, without the texts."""
    lines = []
    left: BaseException | None = exc_info[1]
    while left is not None:
        lines += [f"{type(left).__module__}.{type(left).__qualname__}", *traceback.format_tb(left.__traceback__)]
        left = left.__cause__ or left.__context__
    return "\n".join(line.rstrip() for line in lines)
