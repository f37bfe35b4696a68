"""What the tables in `schema` share: their base classes, and partial indexes."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backpropd.store.sql.column_types import Instant, Json
from backpropd.store.status import Status


class Base(DeclarativeBase):
    __mapper_args__ = {"eager_defaults": True}  # times of the database's clock come back from the INSERT
    type_annotation_map = {str: Text, datetime: Instant, dict[str, Any]: Json, list[Any]: Json, bytes: LargeBinary}


class Resource(Base):
    """A row that a tenant owns and a client reads by its id, at `/v1/{noun}s/{id}`."""

    __abstract__ = True
    noun: ClassVar[str]

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]


def index_of_status(status: Status, name: str, *columns: str) -> Index:
    """A partial index: it stays small however many jobs there are, which the planner knows without statistics."""
    where = text(f"status = '{status.value}'")
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)
