"""What a tenant may see: the one place where rows are narrowed to those that somebody owns."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.interfaces import ORMOption

from backpropd import errors
from backpropd.store import statements
from backpropd.store.schema import ApiKey, Audit, Dataset, Job, Model

Owned = TypeVar("Owned", ApiKey, Audit, Dataset, Job, Model)
Named = TypeVar("Named", ApiKey, Dataset, Job, Model)

NOUNS: dict[type[Any], str] = {ApiKey: "key", Dataset: "dataset", Job: "job", Model: "model"}
AN_ID = re.compile(r"[a-z]+_[0-9a-z]{1,40}")
SHOWN = 64  # characters of what is no id


def owned(kind: type[Owned], tenant: str) -> Select[Owned]:
    """The tenant's rows of this kind."""
    return select(kind).where(kind.tenant == tenant)


def find(session: Session, kind: type[Named], tenant: str, id: str, *options: ORMOption, lock: bool = False) -> Named:
    """The tenant's row of this id, locked if asked. Raises `errors.NotFound`, the same for another tenant's."""
    query = _by_id(kind, lock).options(*options) if options else _by_id(kind, lock)
    found: Named | None = session.scalar(query, _owner(tenant, id)) if AN_ID.fullmatch(id) else None
    return found or _missed(kind, id)


def look(session: Session, kind: type[Named], tenant: str, id: str, *columns: InstrumentedAttribute[Any]) -> Row[Any]:
    """These columns of the tenant's row of this id: a third of the time that `find` takes. Raises `errors.NotFound`."""
    query = _columns(kind, columns)
    found = statements.run(session, query, _owner(tenant, id)).first() if AN_ID.fullmatch(id) else None
    return found or _missed(kind, id)


def lock(session: Session, kind: type[Named], tenant: str, id: str) -> None:
    """Have the tenant's row of this id stay, without reading it; others may do so, too. Raises `errors.NotFound`."""
    if not AN_ID.fullmatch(id) or statements.run(session, _lock(kind), _owner(tenant, id)).first() is None:
        _missed(kind, id)


@cache
def _by_id(kind: Any, lock: bool) -> Select[Any]:
    query = select(kind).where(kind.tenant == bindparam("owner"), kind.id == bindparam("named"))
    return query.with_for_update() if lock else query


@cache
def _columns(kind: Any, columns: tuple[InstrumentedAttribute[Any], ...]) -> Select[Any]:
    return _by_id(kind, lock=False).with_only_columns(*columns)


@cache
def _lock(kind: Any) -> Select[str]:
    return _by_id(kind, lock=False).with_only_columns(kind.id).with_for_update(read=True, key_share=True)


def _owner(tenant: str, id: str) -> dict[str, str]:
    return {"owner": tenant, "named": id}


def _missed(kind: type[Any], id: str) -> NoReturn:
    noun = NOUNS[kind]
    raise errors.NotFound(f"there is no {noun} {id[:SHOWN]!r}: GET /v1/{noun}s lists yours")
