"""What an answer needs until it was sent: slots, and a file instead of memory if it is long."""

import logging
import tempfile
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from flask import Response, g

from backpropd import errors
from service.auth.principal import current_principal, tenant
from service.http.handover import hand_over
from service.limits.memory_limit import COSTLY_BYTES
from service.services import services

log = logging.getLogger(__name__)

MAX_MEMORY_BYTES = 1024 * 1024  # of one answer while it is sent
CHUNK_BYTES = 256 * 1024


def begin() -> None:
    """Start a request that holds nothing yet."""
    g.held = ExitStack()


def hold_until_sent(held: AbstractContextManager[Any]) -> None:
    """Enter a context that is left when this request's answer was sent, or its client is gone."""
    g.held.enter_context(held)


def hold_memory(size: int) -> None:
    """Reserve `size` bytes until then. Raises `errors.TooManyAtOnce` and `errors.Unavailable`."""
    hold_until_sent(services().memory.reserve(tenant(), size))


def hold_memory_of(what: str, size: int) -> None:
    """Reserve what it takes to answer. Raises `errors.Invalid` for more than all requests may have, else as above."""
    if size > (most := services().memory.most):
        mend = "the operator can raise the service's api_memory_bytes"
        raise errors.Invalid(f"{what} takes {size} bytes of memory, and the limit is {most}: {mend}")
    hold_memory(size)


def hold_inspection() -> None:
    """Take a slot of the inspections, and the memory of one, until then. Raises as `hold_memory` does.

    The front hands the request over.
    """
    hand_over()
    hold_until_sent(services().inspections.slot(current_principal().holder))
    hold_memory(COSTLY_BYTES)


def finish(response: Response) -> None:
    """Let the answer go when it was sent, and until then keep it in a file if it is long."""
    if not response.is_streamed and (response.content_length or 0) > MAX_MEMORY_BYTES:
        try:
            _move_to_file(response)
        except OSError as error:
            log.warning("a long answer stays in memory: %s", error)
    response.call_on_close(g.held.close)


def _move_to_file(response: Response) -> None:
    with ExitStack() as opened:
        file = opened.enter_context(tempfile.TemporaryFile(dir=services().blobs.scratch))
        file.writelines(response.iter_encoded())
        file.seek(0)
        g.held.enter_context(opened.pop_all())
    response.response = iter(partial(file.read, CHUNK_BYTES), b"")
