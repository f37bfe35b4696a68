"""Whether what a path names exists: asked before the body of a request is read and validated, which costs more."""

from collections.abc import Mapping

from backpropd.store.sql import schema, tenant_rows
from service.auth.principal import tenant
from service.services import services

KINDS = {
    "dataset_id": schema.Dataset,
    "job_id": schema.Job,
    "model_id": schema.Model,
    "key_id": schema.ApiKey,
}


def check_exists(path: Mapping[str, str]) -> None:
    """Raise `errors.NotFound` unless the tenant has every resource that these path parameters name."""
    for name, id in path.items():
        kind = KINDS[name]
        with services().database.read_connection() as connection:
            tenant_rows.find_columns(connection, kind, tenant(), id, kind.id)
