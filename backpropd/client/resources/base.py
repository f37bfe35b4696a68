"""What all resources share: paths, lists of pages, and idempotency keys."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from backpropd.client.transport import Transport

Rows = list[dict[str, Any]]


class Resource:
    """The methods for one kind of resource, at `PATH`."""

    PATH = ""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def delete(self, id: str) -> None:
        """Delete it: a dataset that no unfinished job needs, a job that has ended (its model stays), or a model."""
        self._transport.send("DELETE", self._path(id))

    def _path(self, id: str, rest: str = "") -> str:
        """The path of one resource, whatever characters its id contains."""
        return f"{self.PATH}/{quote(id, safe='')}{rest}"

    def _pages(self, **filters: Any) -> Iterator[Any]:
        """All items of the list, page after page."""
        query = {name: value for name, value in filters.items() if value is not None} | {"limit": 100}
        while True:
            page = self._transport.json("GET", self.PATH, params=query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]


def accept_header(format: str) -> dict[str, str]:
    """The header that asks for a picture as `svg` or `png`."""
    return {"Accept": {"svg": "image/svg+xml", "png": "image/png"}[format]}


def query_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as a query has them: lists, objects and booleans as JSON, and no None."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in options.items()
        if value is not None
    }


def idempotency_header(key: str | None = None) -> dict[str, str]:
    """The header that makes a POST safe to repeat, with a new key unless one is given."""
    return {"Idempotency-Key": key or str(uuid.uuid4())}
