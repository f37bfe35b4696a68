"""A cache of trained models, bounded by bytes: loading one takes longer than most predictions."""

from collections.abc import Callable
from threading import Condition, Lock
from typing import NamedTuple

import orjson
from cachetools import LRUCache, cached

from backpropd import learn
from backpropd.store import models
from backpropd.store.sql.database import Database

WEIGHTS_FACTOR = 2  # the parameters by name, and all of them as one array
JSON_FACTOR = 10  # bytes in memory for each byte of JSON
SMALL_BYTES = 256 * 1024  # of a stored model: loaded within milliseconds


class _Loaded(NamedTuple):
    model: learn.Model
    bytes: int


class ModelCache:
    """The models that were used last, of at most about `max_bytes` together. A larger one is loaded every time.

    A model never changes. Requests for one that is not cached wait for the first of them to load it, and one is loaded
    at a time, because that takes memory several times.
    """

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database, self._loading = database, Lock()
        cache: LRUCache[str, _Loaded] = LRUCache(max_bytes, getsizeof=lambda loaded: loaded.bytes)
        self._load = cached(cache, key=lambda tenant, model_id: model_id, condition=Condition())(self._read)

    def get(self, tenant: str, model_id: str, before_large: Callable[[], None] = lambda: None) -> learn.Model:
        """The tenant's model, which exists at this moment. Raises `errors.NotFound`.

        `before_large` is called before a model of more than `SMALL_BYTES` is loaded, or used.
        """
        size = self.check(tenant, model_id)
        if size > SMALL_BYTES:
            before_large()
        return self._load(tenant, model_id).model

    def check(self, tenant: str, model_id: str) -> int:
        """The bytes that the tenant's model takes. Raises `errors.NotFound`."""
        return models.read_stored_bytes(self._database, tenant, model_id)

    def _read(self, tenant: str, model_id: str) -> _Loaded:
        with self._loading:
            with self._database.read_connection() as connection:
                stored = models.stored(connection, tenant, model_id)
            size = WEIGHTS_FACTOR * len(stored.weights) + JSON_FACTOR * len(stored.encoders)
            return _Loaded(learn.Model.load(orjson.loads(stored.encoders), stored.weights), size)
