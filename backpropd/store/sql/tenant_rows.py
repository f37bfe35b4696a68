"""One row of a tenant by its id: the whole row, or some of its columns. Lists are in `paging`."""

import re
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.interfaces import ORMOption

from backpropd import errors
from backpropd.store.sql import statements
from backpropd.store.sql.base import Resource
from backpropd.store.sql.database import Database

AnyResource = TypeVar("AnyResource", bound=Resource)

ID_PATTERN = re.compile(r"[a-z]+_[0-9a-z]{1,40}")
MAX_QUOTED = 64  # characters of an unknown id that an error message quotes


def find(
    session: Session, kind: type[AnyResource], tenant: str, id: str, *options: ORMOption, lock: bool = False
) -> AnyResource:
    """The tenant's row of this id, locked on request.

    Raises `errors.NotFound`, also for a row of another tenant.
    """
    check_id(kind, id)
    query = _by_id(kind, lock).options(*options) if options else _by_id(kind, lock)
    found: AnyResource | None = session.scalar(query, _key(tenant, id))
    if found is None:
        raise not_found(kind, id)
    return found


def find_columns(
    session: Session | Connection,
    kind: type[Resource],
    tenant: str,
    id: str,
    *columns: ColumnElement[Any] | InstrumentedAttribute[Any],
    lock_key: bool = False,
) -> Row[Any]:
    """These columns of the tenant's row of this id, in a third of the time that `find` takes.

    `lock_key` prevents the row's deletion until the transaction ends; several transactions can do so at once.
    Raises `errors.NotFound`, also for a row of another tenant.
    """
    check_id(kind, id)
    found = statements.run(session, _columns(kind, columns, lock_key), _key(tenant, id)).first()
    if found is None:
        raise not_found(kind, id)
    return found


def read_columns(
    database: Database, kind: type[Resource], tenant: str, id: str, *columns: InstrumentedAttribute[Any]
) -> tuple[Any, ...]:
    """As `find_columns`, in a transaction of its own, in a fifth of the time; as the driver returns the values."""
    check_id(kind, id)
    found = database.read_row(_columns(kind, columns, False), _key(tenant, id))
    if found is None:
        raise not_found(kind, id)
    return found


def check_id(kind: type[Resource], id: str) -> None:
    """Raise `errors.NotFound` for what cannot be an id: the database may not accept such characters."""
    if not ID_PATTERN.fullmatch(id):
        raise not_found(kind, id)


def not_found(kind: type[Resource], id: str) -> errors.NotFound:
    """The error for an id that the tenant has no row of."""
    return errors.NotFound(f"there is no {kind.noun} {id[:MAX_QUOTED]!r}: GET /v1/{kind.noun}s lists yours")


@cache
def _by_id(kind: Any, lock: bool) -> Select[Any]:
    query = select(kind).where(kind.tenant == bindparam("owner"), kind.id == bindparam("resource_id"))
    return query.with_for_update() if lock else query


@cache
def _columns(kind: Any, columns: tuple[Any, ...], lock_key: bool) -> Select[Any]:
    query = _by_id(kind, lock=False).with_only_columns(*columns)
    return query.with_for_update(read=True, key_share=True) if lock_key else query


def _key(tenant: str, id: str) -> dict[str, str]:
    return {"owner": tenant, "resource_id": id}
