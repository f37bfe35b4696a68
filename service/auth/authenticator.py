"""The authenticator: from an Authorization header to a principal."""

import threading
import time

from backpropd import errors
from backpropd.store import keys
from backpropd.store.sql.database import Database
from service.auth.principal import Principal

USE_SECONDS = 60.0  # between two updates of a key's last use
KEY_REQUIRED = (
    "an API key is required: send it as `Authorization: Bearer bp_…`. An admin creates one with POST /v1/keys, an "
    "operator with `python -m service keys create`"
)


class Authenticator:
    """Looks each key up in the database, so that a revoked one fails at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recorded: dict[str, float] = {}  # keys, and when their use was recorded
        self._lock = threading.Lock()

    def authenticate(self, authorization: str | None) -> Principal:
        """The principal who sends this header. Raises `errors.Unauthenticated`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.Unauthenticated(KEY_REQUIRED)
        with self._database.read_connection() as connection:
            bearer = keys.authenticate(connection, token.strip())
        self._record_use(bearer.key_id)
        return Principal(bearer.tenant, bearer.key_id, bearer.scopes)

    def _record_use(self, key_id: str) -> None:
        """Update the key's `last_used_at`, at most once in `USE_SECONDS`."""
        now = time.monotonic()
        with self._lock:
            if now - self._recorded.get(key_id, -USE_SECONDS) < USE_SECONDS:
                return
            recent = {id: at for id, at in self._recorded.items() if now - at < USE_SECONDS}
            self._recorded = recent | {key_id: now}
        with self._database.write() as session:
            keys.record_use(session, key_id, USE_SECONDS)
