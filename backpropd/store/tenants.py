"""What a tenant may see: the one place where rows are narrowed to those that somebody owns."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from backpropd import errors
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
    query = owned(kind, tenant).where(kind.id == id).options(*options)
    found = session.scalar(query.with_for_update() if lock else query) if AN_ID.fullmatch(id) else None
    if found is None:
        noun = NOUNS[kind]
        raise errors.NotFound(f"there is no {noun} {id[:SHOWN]!r}: GET /v1/{noun}s lists yours")
    return found
