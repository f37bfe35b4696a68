"""What the tables look like that jobs were lately posted on: it never changes, and to read it is a tenth of a post."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Row

from backpropd.store import datasets
from backpropd.store.sql.database import Database

MOST_KEPT = 256
MOST_COLUMNS = 256  # of one that is kept


class DatasetCache:
    """The columns and rows of datasets, kept from one post to the next.

    One that was deleted may still be here: whoever goes by it must look, in the end, whether it is there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[str, str], Row[Any]] = {}
        self._keeping = threading.Lock()

    def get(self, tenant: str, dataset_id: str) -> Row[Any]:
        """The `columns` and `rows` of the tenant's dataset. Raises `errors.NotFound`."""
        return self._kept.get((tenant, dataset_id)) or self.read(tenant, dataset_id)

    def read(self, tenant: str, dataset_id: str) -> Row[Any]:
        """The same of one that is there at this moment."""
        with self._database.read_connection() as connection:
            table = datasets.table(connection, tenant, dataset_id)
        if len(table.columns) <= MOST_COLUMNS:
            with self._keeping:
                if len(self._kept) >= MOST_KEPT:
                    del self._kept[next(iter(self._kept))]  # the one that came first
                self._kept[tenant, dataset_id] = table
        return table
