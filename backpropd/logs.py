"""Log lines as text or JSON, with the request, job and tenant that they belong to.

They contain no API key and no row of data: an unexpected error is logged with its type and traceback, but without its
message, which may quote data.
"""

import logging
import sys
import traceback

import structlog
from structlog.types import EventDict, ExcInfo, Processor

from backpropd.config import Settings


class _ErrorCounter(logging.Handler):
    """Counts the logged errors, for the metrics: the program went on after each of them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


_errors = _ErrorCounter()


def error_count() -> int:
    """How many errors this process has logged."""
    return _errors.count


def set_up(settings: Settings) -> None:
    """Write all log lines of this process, of all libraries, to standard error in the configured format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(settings)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler, _errors], force=True)
    logging.captureWarnings(True)


def _renderer(settings: Settings) -> Processor:
    return structlog.processors.JSONRenderer() if settings.log_format == "json" else _as_text


def _as_text(_logger: object, _name: str, event: EventDict) -> str:
    """`INFO worker.runner: the message, job_id=…`, followed by a traceback if there is one."""
    del event["timestamp"]  # systemd, Docker and the like add the time
    head = f"{event.pop('level').upper()} {event.pop('logger')}: {event.pop('event')}"
    trace = event.pop("exception", None)
    line = ", ".join([head, *(f"{name}={value}" for name, value in sorted(event.items()))])
    return f"{line}\n{trace}" if trace else line


def _traceback(exc_info: ExcInfo) -> str:
    """The types and tracebacks of an error and of its causes, without their messages."""
    lines = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        lines += [f"{type(error).__module__}.{type(error).__qualname__}", *traceback.format_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return "\n".join(line.rstrip() for line in lines)
