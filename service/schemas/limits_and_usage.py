"""A tenant's limits and usage, derived from the settings and from the store's counts."""

from typing import Any, get_type_hints

from pydantic import create_model

from backpropd.config import Settings
from backpropd.store import usage
from service.schemas.fields import Output


def _derived(name: str, types: dict[str, Any], doc: str) -> type[Output]:
    fields: dict[str, Any] = {field: (type, ...) for field, type in types.items()}
    return create_model(name, __base__=Output, __doc__=doc, **fields)


Limits = _derived(
    "Limits",
    {
        str(field.json_schema_extra["public_name"]): field.annotation
        for field in Settings.model_fields.values()
        if isinstance(field.json_schema_extra, dict)
    },
    """The limits of this service, in bytes, seconds, or a number of what the name says.

    `body_bytes_per_second` and `answer_bytes_per_second` are lower limits: the average rates at which a request's body
    must arrive and an answer must be read.
    """,
)
Usage = _derived(
    "Usage",
    get_type_hints(usage.Usage),
    "The totals of this tenant's datasets, jobs and models; `bytes` is all that it stores, as the quota counts it.",
)
