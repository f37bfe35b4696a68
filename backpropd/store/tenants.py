"""What a tenant may see: one row of its own, by its id. Lists of its rows are made in `paging`."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NoReturn, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.interfaces import ORMOption

from backpropd import errors
from backpropd.store.sql import statements
from backpropd.store.sql.schema import ApiKey, Dataset, Job, Model

Named = TypeVar("Named", ApiKey, Dataset, Job, Model)

NOUNS: dict[type[Any], str] = {ApiKey: "key", Dataset: "dataset", Job: "job", Model: "model"}
AN_ID = re.compile(r"[a-z]+_[0-9a-z]{1,40}")
SHOWN = 64  # characters of what is no id


def find(session: Session, kind: type[Named], tenant: str, id: str, *options: ORMOption, lock: bool = False) -> Named:
    """The tenant's row of this id, locked if asked. Raises `errors.NotFound`, the same for another tenant's."""
    query = _by_id(kind, lock).options(*options) if options else _by_id(kind, lock)
    found: Named | None = session.scalar(query, _owner(tenant, id)) if AN_ID.fullmatch(id) else None
    return found or _missed(kind, id)


def look(
    session: Session | Connection,
    kind: type[Named],
    tenant: str,
    id: str,
    *columns: ColumnElement[Any] | InstrumentedAttribute[Any],
    keep: bool = False,
    **given: Any,
) -> Row[Any]:
    """These columns of the tenant's row of this id: a third of the time that `find` takes.

    With `keep` nobody can delete the row while this transaction goes on; others may look at it so, too. A column may be
    computed from what is `given`. Raises `errors.NotFound`.
    """
    query = _columns(kind, columns, keep)
    found = statements.run(session, query, _owner(tenant, id) | given).first() if AN_ID.fullmatch(id) else None
    return found or _missed(kind, id)


@cache
def _by_id(kind: Any, lock: bool) -> Select[Any]:
    query = select(kind).where(kind.tenant == bindparam("owner"), kind.id == bindparam("named"))
    return query.with_for_update() if lock else query


@cache
def _columns(kind: Any, columns: tuple[Any, ...], keep: bool) -> Select[Any]:
    query = _by_id(kind, lock=False).with_only_columns(*columns)
    return query.with_for_update(read=True, key_share=True) if keep else query


def _owner(tenant: str, id: str) -> dict[str, str]:
    return {"owner": tenant, "named": id}


def _missed(kind: type[Any], id: str) -> NoReturn:
    noun = NOUNS[kind]
    raise errors.NotFound(f"there is no {noun} {id[:SHOWN]!r}: GET /v1/{noun}s lists yours")
