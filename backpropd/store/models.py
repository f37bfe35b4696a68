"""Models: the results of succeeded jobs, and imported ones."""

import hashlib
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, select
from sqlalchemy import exists as sql_exists
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer

from backpropd import errors
from backpropd.store import sizes
from backpropd.store.ids import new_id
from backpropd.store.sql import tenant_rows
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Job, Model
from backpropd.store.status import TERMINAL

_ENCODERS = cast(Model.encoders, Text).label("encoders")


def create(session: Session, tenant: str, **fields: Any) -> Model:
    """Add a model that no job made: `name, task, network, features, target, classes, parameters, metrics` and so on."""
    generated = {"id": new_id("model"), "tenant": tenant, "created_at": now(), "stored_bytes": sizes.of_model(fields)}
    model = Model(**generated, **fields)
    session.add(model)
    session.flush()
    session.refresh(model)
    return model


def get(session: Session, tenant: str, model_id: str, *columns: InstrumentedAttribute[Any]) -> Model:
    """The tenant's model of this id, with these of its deferred columns. Raises `errors.NotFound`.

    Its weights are verified if they are among them: `errors.BlobDamaged`.
    """
    model = tenant_rows.find(session, Model, tenant, model_id, *map(undefer, columns))
    if any(each is Model.weights for each in columns):
        _verify(model_id, model.weights, model.sha256)
    return model


def _verify(model_id: str, weights: bytes, sha256: str) -> None:
    if hashlib.sha256(weights).hexdigest() != sha256:
        mend = "an operator can restore the database from a backup; or train the model again"
        raise errors.BlobDamaged(f"the stored weights of the model {model_id} are damaged: {mend}")


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
    """A page of the tenant's models, newest first, without features and networks."""
    return page(session, Model, tenant, limit, cursor, unread=(Model.features, Model.network))


def stored_bytes(session: Session | Connection, tenant: str, model_id: str) -> int:
    """The bytes that the tenant's model takes. Raises `errors.NotFound`."""
    return int(tenant_rows.find_columns(session, Model, tenant, model_id, Model.stored_bytes).stored_bytes)


def read_stored_bytes(database: Database, tenant: str, model_id: str) -> int:
    """The same, in a transaction of its own, in a fifth of the time."""
    return int(tenant_rows.read_columns(database, Model, tenant, model_id, Model.stored_bytes)[0])


def stored(session: Session | Connection, tenant: str, model_id: str) -> Row[Any]:
    """The `encoders` of a model, as the text of their JSON, and its verified `weights`.

    Raises `errors.NotFound`, `errors.BlobDamaged`.
    """
    columns = _ENCODERS, Model.weights, Model.sha256
    found = tenant_rows.find_columns(session, Model, tenant, model_id, *columns)
    _verify(model_id, found.weights, found.sha256)
    return found


def delete(session: Session, tenant: str, model_id: str) -> None:
    """Delete a model. Its job still refers to it by its id.

    Raises `errors.Conflict` while an unfinished job starts from it, `errors.NotFound`.
    """
    model = tenant_rows.find(session, Model, tenant, model_id, lock=True)
    needed = select(sql_exists().where(Job.warm_start_model_id == model_id, Job.status.not_in(TERMINAL)))
    if session.scalar(needed):
        raise errors.Conflict(
            "an unfinished job starts from this model: wait for the job or cancel it, then delete again"
        )
    session.delete(model)
