"""What is not possible now and may be later."""

from backpropd.errors.base import BackpropdError


class RetryLater(BackpropdError):
    """Not possible now: try again after `retry_after` seconds."""

    code = "later"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(RetryLater):
    """A component that the answer needs is unavailable."""

    code = "unavailable"


class DatabaseDamaged(Unavailable):
    """The database's files are damaged."""

    code = "database_damaged"


class DiskFull(Unavailable):
    """Nothing can be written: the disk is full."""

    code = "disk_full"


class BlobsUnavailable(Unavailable):
    """The store of the datasets' bytes does not answer, or refuses this service."""

    code = "blobs_unavailable"


class SchemaTooNew(Unavailable):
    """A newer version of this program has migrated the database."""

    code = "schema_too_new"


class TooMany(RetryLater):
    """A limit on numbers of requests or resources is reached."""

    code = "too_many"


class QueueFull(TooMany):
    """The queue has reached a limit; the message says whether it is the tenant's or the service's."""

    code = "queue_full"


class RateLimited(TooMany):
    """The API key has made too many requests in a minute."""

    code = "rate_limited"


class TooManyAtOnce(TooMany):
    """The API key or its tenant has too many requests of one kind at the same time."""

    code = "too_many_at_once"
