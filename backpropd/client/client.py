"""The client of one service, with its resources as attributes."""

from __future__ import annotations

import os
from types import TracebackType
from typing import cast

from backpropd.client.errors import ServiceError, ServiceUnreachable
from backpropd.client.resources.base import Rows
from backpropd.client.resources.datasets import Datasets
from backpropd.client.resources.jobs import Jobs
from backpropd.client.resources.models import Models
from backpropd.client.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """A client of one service; `url` and `api_key` default to BACKPROPD_URL and BACKPROPD_API_KEY.

    Every method raises `ServiceError` for an error response and `ServiceUnreachable` if there is no response.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout: float = 60.0) -> None:
        url = url or os.environ.get("BACKPROPD_URL") or DEFAULT_URL
        self._transport = Transport(url, api_key or os.environ.get("BACKPROPD_API_KEY"), timeout)
        self.datasets = Datasets(self._transport)
        self.jobs = Jobs(self._transport)
        self.models = Models(self._transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.http.close()

    def ready(self) -> bool:
        """Whether the service can train now."""
        try:
            self._transport.send("GET", "/readyz", repeatable=False)
        except (ServiceError, ServiceUnreachable):
            return False
        return True

    def samples(self) -> Rows:
        """The bundled samples."""
        return cast(Rows, self._transport.json("GET", "/v1/samples")["data"])
