"""The authenticator: tells whose an API key is, and notes when it was used."""

from __future__ import annotations

import threading
import time

from backpropd import errors
from backpropd.store import keys
from backpropd.store.sql.database import Database
from service.auth.principal import Principal

NOTE_SECONDS = 60.0  # between two notes of a key's use
ASK = (
    "an API key is asked for here: send it as `Authorization: Bearer bp_…`. An admin makes one with POST /v1/keys, "
    "an operator with `python -m service keys create`"
)


class Authenticator:
    """The keys, as the database has them at this moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, float] = {}
        self._noting = threading.Lock()

    def caller(self, authorization: str | None) -> Principal:
        """Who sends this header. Raises `errors.Unauthenticated`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.Unauthenticated(ASK)
        with self._database.read_connection() as connection:
            bearer = keys.authenticate(connection, token.strip())
        self._note(bearer.key_id)
        return Principal(bearer.tenant, bearer.key_id, bearer.scopes)

    def _note(self, key_id: str) -> None:
        """Write down that the key is in use, now and then: it is no matter of every request."""
        now = time.monotonic()
        with self._noting:
            if now - self._noted.get(key_id, -NOTE_SECONDS) < NOTE_SECONDS:
                return
            self._noted = {id: at for id, at in self._noted.items() if now - at < NOTE_SECONDS} | {key_id: now}
        with self._database.write() as session:
            keys.record_use(session, key_id, NOTE_SECONDS)
