"""From a request for predictions, in each of its forms, to rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import request

from backpropd import errors, tabular
from backpropd.learn import Model, columns_from_json
from backpropd.store import datasets
from backpropd.tabular.column_names import first_repeated, respelled
from backpropd.tabular.formats import DEFAULT_FORMAT, FORMAT_OF_MEDIA_TYPE
from backpropd.tabular.inputs.input_rows import InputRows
from backpropd.tabular.inputs.json_rows import JsonRows
from backpropd.tabular.inputs.known_column import KnownColumn
from backpropd.tabular.inputs.table_rows import TableRows
from backpropd.tabular.read_options import UNUSED
from service import uploads
from service.auth.principal import current_principal, tenant
from service.http.handover import hand_over
from service.http.parsing import read_json_body
from service.http.sending import hold_memory
from service.http.strict_json import read_json
from service.limits.memory_limit import json_cost
from service.schemas.models import PredictionQuery
from service.services import services

JSON = "application/json"
TABLE_TYPES = tuple(each for each in uploads.UPLOADS if each not in (JSON, uploads.FORM))
HEAD_BYTES = 1024
NAMES_ROWS = re.compile(rb'\s*\{\s*"(rows|columns|dataset_id)"\s*:')
FORMS = (
    'send {"rows": [...]}, where rows are objects by column name or arrays in the order of the input_columns, '
    '{"columns": [...], "rows": [[...], ...]}, {"dataset_id": "ds_..."}, a list of rows, or one row'
)


def hand_over_body() -> None:
    """Hand this request over, however its body will be read."""
    settings = services().settings
    hand_over(settings.max_json_bytes if request.mimetype == JSON else settings.max_upload_bytes)


def receive(model: Model, query: PredictionQuery, stack: ExitStack) -> InputRows:
    """The rows of this request; what they hold is given back by `stack`.

    Raises `errors.TooLarge`, `errors.Malformed`, `errors.Invalid`, `errors.NotFound`, and those of a reader.
    """
    if request.mimetype == JSON:
        return _from_json(read_json_body(request, services().settings.max_json_bytes), model, query, stack)
    return _from_file(model, query, stack)


def _from_json(body: Any, model: Model, query: PredictionQuery, stack: ExitStack) -> InputRows:
    query.reject_options()
    if (dataset_id := _dataset_id(body, model)) is not None:
        hand_over()
    return _json_rows(body, model) if dataset_id is None else _dataset(dataset_id, model, stack)


def _from_file(model: Model, query: PredictionQuery, stack: ExitStack) -> InputRows:
    """A table, whatever its media type is; or JSON that was not declared as such."""
    hand_over_body()
    folder: Path = stack.enter_context(services().blobs.workspace())
    file = folder / "upload"
    uploads.receive_body(file)
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if NAMES_ROWS.match(head) and file.stat().st_size <= services().settings.max_json_bytes:
        hold_memory(json_cost(file.stat().st_size))
        return _from_json(read_json(file.read_bytes()), model, query, stack)
    stack.enter_context(services().inspections.slot(current_principal().holder))
    return _table(model, file, query.to_options())


def _dataset_id(body: Any, model: Model) -> str | None:
    """The id of a stored dataset, if the request names one instead of rows."""
    if not isinstance(body, dict) or "dataset_id" not in body or "dataset_id" in model.columns:
        return None
    if len(body) > 1:
        others = ", ".join(name for name in list(body)[:20] if name != "dataset_id")
        raise errors.Invalid(f"send dataset_id alone, or rows: this has {others} beside it", pointer="/dataset_id")
    if not isinstance(body["dataset_id"], str):
        raise errors.Invalid("dataset_id is the id of a dataset, text", pointer="/dataset_id")
    return body["dataset_id"]


def _json_rows(body: Any, model: Model) -> JsonRows:
    features = [info.name for info in model.encoder.column_infos]
    if isinstance(body, list):
        return JsonRows(_limited(body, ""), features, (), model.columns)
    if not isinstance(body, dict):
        raise errors.Invalid(FORMS, pointer="")
    if isinstance(body.get("rows"), list):
        _reject_others(body, ("rows", "columns"))
        columns = _columns(body["columns"]) if "columns" in body else features
        rows = JsonRows(_limited(body["rows"], "/rows"), columns, known=model.columns)
        if "columns" in body and rows.by_name:
            raise errors.Invalid("with columns the rows are arrays: leave columns out for objects", pointer="/columns")
        return rows
    if not body.keys() & set(model.columns) and not respelled(body, model.columns):
        raise errors.Invalid(FORMS, pointer="/rows" if "rows" in body else "")
    return JsonRows([body], features, (), model.columns, is_single=True)


def _limited(rows: list[Any], where: str) -> list[Any]:
    most = services().settings.max_prediction_rows
    if not rows:
        raise errors.Invalid("there are no rows: send at least one", pointer=where)
    if len(rows) > most:
        hint = "send fewer, or a table as a CSV or Parquet body, or as a dataset"
        raise errors.Invalid(f"the request has {len(rows)} rows and the limit is {most}: {hint}", pointer=where)
    return rows


def _reject_others(body: Mapping[str, Any], allowed: Sequence[str]) -> None:
    if unknown := [name for name in body if name not in allowed]:
        raise errors.Invalid("there is no such field: remove it", pointer=errors.pointer(unknown[0]))


def _columns(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise errors.Invalid("columns are the names of the values of each row, a list of texts", pointer="/columns")
    if repeated := first_repeated(names):
        raise errors.Invalid(f"the column {repeated[:100]!r} is named twice", pointer="/columns")
    return names


def _dataset(dataset_id: str, model: Model, stack: ExitStack) -> TableRows:
    with services().database.read() as session:
        dataset = datasets.get(session, tenant(), dataset_id)
    stack.enter_context(services().inspections.slot(current_principal().holder))
    path = stack.enter_context(datasets.local_file(services().database, services().blobs, dataset))
    return TableRows(path, dataset.rows, [*columns_from_json(dataset.columns).values()], known=model.columns)


def _table(model: Model, file: Path, options: tabular.ReadOptions) -> TableRows:
    """The table in a file, read as the model's columns require: in a column of words numbers are words, too.

    Columns that are no features stay as they stand. Those without names are the model's features in their order.
    """
    kinds = {info.name: _kind(info) for info in model.encoder.column_infos}
    known = {**dict.fromkeys(model.columns, UNUSED), **kinds}
    target = file.with_name("table")
    declared = FORMAT_OF_MEDIA_TYPE.get(request.mimetype, DEFAULT_FORMAT)
    found = uploads.read_table(file, target, declared, replace(options, known_kinds=known))
    has_names = found.format != "npy" and (found.dialect or {}).get("header") is not False
    by_name = has_names or kinds.keys() <= {column.name for column in found.columns}
    return TableRows(target, found.rows, found.columns, None if by_name else list(kinds), found.warnings, model.columns)


def _kind(info: tabular.ColumnInfo) -> str:
    """How a file's column is read: as text, unless it holds numbers whose notation is to be found in the file."""
    has_own = info.statistics.keys() & {"notation", "format", "markers"}
    return "number" if info.kind == "number" and not has_own and not KnownColumn(info).is_flag else "text"
