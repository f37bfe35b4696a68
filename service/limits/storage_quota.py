"""The storage quota of a tenant: how many bytes its datasets and models may have together."""

import math
import time

from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import usage

RECENT_SECONDS = 1.0


class StorageQuota:
    """Checks that a tenant's datasets and models stay within `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._checked_at: dict[str, float] = {}  # tenants, and when they last were within the quota

    def check(self, session: Session, tenant: str, new_bytes: int = 0) -> None:
        """Raise `errors.StorageFull` if `new_bytes` more would exceed the quota."""
        used = usage.stored_bytes(session, tenant)
        if used + new_bytes > self._max_bytes:
            raise errors.StorageFull(
                f"your datasets and models have {used} bytes, this would add {new_bytes}, and the limit is "
                f"{self._max_bytes} bytes: delete some"
            )

    def check_recent(self, session: Session, tenant: str) -> None:
        """As `check`, but not again within a second of a success: it may notice up to a second late.

        Counting reads an index entry of every model of the tenant: too slow for each of many jobs a second.
        """
        now = time.monotonic()
        if now - self._checked_at.get(tenant, -math.inf) > RECENT_SECONDS:
            self.check(session, tenant)
            self._checked_at[tenant] = now
