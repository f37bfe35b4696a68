"""The errors of the service and the library: one tree, each with a stable code, and a message that says what to do.

BackpropdError
├── Misconfigured
├── Unauthenticated
│   ├── KeyMistyped
│   └── KeyExpired
├── Forbidden
│   └── MissingScope
├── Malformed
│   └── Ambiguous
├── UnsupportedMediaType, NotAcceptable, RequestTimeout
├── TooLarge
│   └── StorageFull, TableTooLarge
├── Invalid
│   ├── NotATable, EmptyDataset, UnknownColumn, UnknownSample
│   ├── OneClass, AllMissing, ConstantColumn, UnusableColumn
│   └── TooLargeForMemory, IdempotencyMismatch
├── NotFound, Conflict
├── RetryLater
│   ├── Unavailable
│   │   └── BlobsUnavailable, DatabaseDamaged, DiskFull, SchemaTooNew
│   └── TooMany
│       └── QueueFull, RateLimited, TooManyAtOnce
├── JobFailed
│   └── Diverged, NotRepresentable
├── BlobMissing, BlobDamaged
├── LeaseLost
└── ClientError, in backpropd.client.errors
"""

from backpropd.errors.base import (
    BackpropdError,
    Misconfigured,
    Problem,
    pointer,
)
from backpropd.errors.invalid import (
    MAX_PROBLEMS,
    AllMissing,
    ConstantColumn,
    EmptyDataset,
    IdempotencyMismatch,
    Invalid,
    NotATable,
    OneClass,
    TooLargeForMemory,
    UnknownColumn,
    UnknownSample,
    UnusableColumn,
)
from backpropd.errors.jobs import (
    BlobDamaged,
    BlobMissing,
    Diverged,
    JobFailed,
    LeaseLost,
    NotRepresentable,
)
from backpropd.errors.requests import (
    Ambiguous,
    Conflict,
    Forbidden,
    KeyExpired,
    KeyMistyped,
    Malformed,
    MissingScope,
    NotAcceptable,
    NotFound,
    RequestTimeout,
    StorageFull,
    TableTooLarge,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from backpropd.errors.retry_later import (
    BlobsUnavailable,
    DatabaseDamaged,
    DiskFull,
    QueueFull,
    RateLimited,
    RetryLater,
    SchemaTooNew,
    TooMany,
    TooManyAtOnce,
    Unavailable,
)

__all__ = [
    "MAX_PROBLEMS",
    "AllMissing",
    "Ambiguous",
    "BackpropdError",
    "BlobDamaged",
    "BlobMissing",
    "BlobsUnavailable",
    "Conflict",
    "ConstantColumn",
    "DatabaseDamaged",
    "DiskFull",
    "Diverged",
    "EmptyDataset",
    "Forbidden",
    "IdempotencyMismatch",
    "Invalid",
    "JobFailed",
    "KeyExpired",
    "KeyMistyped",
    "LeaseLost",
    "Malformed",
    "Misconfigured",
    "MissingScope",
    "NotATable",
    "NotAcceptable",
    "NotFound",
    "NotRepresentable",
    "OneClass",
    "Problem",
    "QueueFull",
    "RateLimited",
    "RequestTimeout",
    "RetryLater",
    "SchemaTooNew",
    "StorageFull",
    "TableTooLarge",
    "TooLarge",
    "TooLargeForMemory",
    "TooMany",
    "TooManyAtOnce",
    "Unauthenticated",
    "Unavailable",
    "UnknownColumn",
    "UnknownSample",
    "UnsupportedMediaType",
    "UnusableColumn",
    "pointer",
]
