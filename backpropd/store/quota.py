"""The storage quota of a tenant: how many bytes all that it stores may have together."""

import time
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import usage
from backpropd.store.sql.schema import Turn

RECENT_SECONDS = 1.0
MAX_SHARE = 0.02  # of the time, that is spent on counting

_OWN_LIMIT = select(Turn.max_stored_bytes).where(Turn.tenant == bindparam("owner"))


class _Count(NamedTuple):
    """The bytes of a tenant, those counted and those added since, its limit, and until when both are not read again."""

    bytes: int
    limit: int
    valid_until: float


class StorageQuota:
    """Checks that what a tenant stores stays within `max_bytes`, or its own limit: see `store.sizes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._counts: dict[str, _Count] = {}

    def check(self, session: Session, tenant: str, new_bytes: int = 0) -> None:
        """Raise `errors.StorageFull` if `new_bytes` more would exceed the quota."""
        began = time.monotonic()
        used, own = usage.stored_bytes(session, tenant), session.scalar(_OWN_LIMIT, {"owner": tenant})
        limit = self._max_bytes if own is None else own
        now = time.monotonic()
        self._counts[tenant] = _Count(used + new_bytes, limit, now + max(RECENT_SECONDS, (now - began) / MAX_SHARE))
        if used + new_bytes > limit:
            raise errors.StorageFull(
                f"you store {used} bytes: datasets, jobs with their epochs, models and records of requests. This would "
                f"add {new_bytes}, and the limit is {limit} bytes: delete some"
            )

    def check_recent(self, session: Session, tenant: str, new_bytes: int = 0) -> None:
        """As `check`, from a count that is at most a few seconds old, and what this process has added since.

        Counting reads an index entry of every row of the tenant: too slow for each of many jobs a second.
        """
        count = self._counts.get(tenant)
        if count and time.monotonic() < count.valid_until and count.bytes + new_bytes <= count.limit:
            self._counts[tenant] = count._replace(bytes=count.bytes + new_bytes)
        else:
            self.check(session, tenant, new_bytes)
