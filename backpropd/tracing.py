"""Traces: a span of each request, attempt of a job and chunk of epochs, where an OTLP endpoint is configured.

Without one no exporter is imported, and every function returns at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from backpropd import errors
from backpropd.config import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

Item = TypeVar("Item")
Attributes = Mapping[str, str | int | float]

TIMEOUT_SECONDS = 2.0  # of sending one batch, with repetitions
_provider: TracerProvider | None = None


def set_up(settings: Settings, program: str) -> None:
    """Send the spans of this process from now on, if there is an endpoint. What cannot be sent is dropped.

    Threads do not survive a fork: a child process calls this itself.
    Raises `errors.Misconfigured` without the packages.
    """
    global _provider
    if not settings.otlp_endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise errors.Misconfigured(
            "BACKPROPD_OTLP_ENDPOINT needs OpenTelemetry: pip install 'backpropd[tracing]', or leave the setting out"
        ) from error
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a collector that is away is no error of ours
    _provider = TracerProvider(resource=Resource.create({"service.name": f"backpropd-{program}"}))
    endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_SECONDS)
    _provider.add_span_processor(BatchSpanProcessor(exporter))


def flush() -> None:
    """Send what has not been sent yet, before the process ends."""
    if _provider:
        _provider.force_flush()


def start(name: str, traceparent: str | None) -> Span | None:
    """Begin a span in the trace of this `traceparent` (W3C), or in a new one if it is missing or malformed."""
    return _provider.get_tracer("backpropd").start_span(name, _context(traceparent)) if _provider else None


def end(span: Span | None, name: str, attributes: Attributes) -> None:
    """End a span that `start` began, under its final name."""
    if span:
        span.update_name(name)
        span.set_attributes(dict(attributes))
        span.end()


def traceparent_of(span: Span | None) -> str | None:
    """What continues the span's trace elsewhere, None without a span."""
    if span is None:
        return None
    about = span.get_span_context()
    return f"00-{about.trace_id:032x}-{about.span_id:016x}-{about.trace_flags:02x}"


@contextmanager
def span(name: str, traceparent: str | None, attributes: Attributes) -> Iterator[Callable[[Attributes], None]]:
    """A span around the block, in the trace of `traceparent`; yields what adds attributes to it."""
    if _provider is None:
        yield lambda _: None
        return
    tracer = _provider.get_tracer("backpropd")
    with tracer.start_as_current_span(
        name,
        _context(traceparent),
        attributes=dict(attributes),
        record_exception=False,  # its message may quote data
        set_status_on_exception=False,
    ) as current:
        yield lambda more: current.set_attributes(dict(more))


def each(name: str, items: Iterable[Item], describe: Callable[[Item], Attributes]) -> Iterator[Item]:
    """The items, with a span below the current one for the time in which each was made."""
    if _provider is None:
        yield from items
        return
    began = time.time_ns()
    for item in items:
        tracer = _provider.get_tracer("backpropd")
        tracer.start_span(name, start_time=began, attributes=dict(describe(item))).end()
        yield item
        began = time.time_ns()


def _context(traceparent: str | None) -> Context:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, Any] = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(carrier)
