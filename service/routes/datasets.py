"""The datasets' routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import request
from werkzeug.formparser import FormDataParser

from backpropd import errors, tabular
from backpropd.store import datasets, idempotency
from backpropd.store.ids import new_id
from backpropd.store.sql.schema import Dataset
from service import schemas
from service.auth.principal import record, tenant
from service.http import rendering
from service.http.idempotency import idempotency_key, keyed_request
from service.http.parsing import checked, json_body
from service.http.routing import Answer, Routes
from service.routes.account import refuse_when_full
from service.services import services

routes = Routes("datasets")

ROUTE = "POST /v1/datasets"
CHUNK = 1024 * 1024
DELIMITERS = {
    "text/csv": None,
    "application/csv": None,
    "text/plain": None,
    "application/octet-stream": None,
    "text/tab-separated-values": "\t",
}
UPLOADS = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {"file": {"type": "string", "format": "binary"}, "name": {"type": "string"}},
    },
    "text/csv": {},  # any bytes may come: whether they are a table is for the reader to say
    "text/tab-separated-values": {},
}


@routes(
    "POST",
    "/v1/datasets",
    body=schemas.SampleRequest,
    query=schemas.UploadQuery,
    uploads=UPLOADS,
    answers={201: schemas.Dataset},
    headers=("Idempotency-Key",),
)
def create(query: schemas.UploadQuery) -> Answer:
    """Upload a table as multipart `file` or as the raw body, or take a bundled sample with JSON."""
    with services().blobs.workspace() as folder:
        source, name, delimiter, sample = _receive(folder, query.name)
        dataset = _keep(folder, source, name, delimiter, sample)
    return rendering.dataset(dataset), 201, {"Location": f"/v1/datasets/{dataset.id}"}


def _receive(folder: Path, name: str | None) -> tuple[Path, str, str | None, str]:
    """Whatever way the table comes: its file, its name, its delimiter if that is known, and the sample it is."""
    kind = request.mimetype
    if kind == "application/json":
        return _sample(folder, name)
    if kind == "multipart/form-data":
        return _multipart(folder, name)
    if kind not in DELIMITERS:
        raise errors.UnsupportedMediaType(
            f"a table comes as {', '.join([*DELIMITERS, 'multipart/form-data'])}, or a sample as application/json; "
            f"this came as {kind or 'nothing: set Content-Type'}"
        )
    source = folder / "upload"
    _save(request.stream.read, source)
    return source, name or "dataset", DELIMITERS[kind], ""


def _sample(folder: Path, name: str | None) -> tuple[Path, str, str | None, str]:
    body = json_body(request, schemas.SampleRequest, services().settings.max_json_bytes)
    source = folder / "sample"
    tabular.write_sample(body.sample, source, noise=body.noise, rows=body.rows, seed=body.seed)
    return source, name or body.name or body.sample, ",", body.sample


def _multipart(folder: Path, name: str | None) -> tuple[Path, str, str | None, str]:
    """The part called `file` goes to disk as it arrives."""
    limit = services().settings.max_upload_bytes
    parser = FormDataParser(
        stream_factory=lambda *_, **__: (folder / "upload").open("w+b"),
        max_content_length=limit,
        max_form_memory_size=CHUNK,
        max_form_parts=10,
        silent=False,
    )
    try:
        _, form, files = parser.parse(
            request.stream, "multipart/form-data", request.content_length, request.mimetype_params
        )
    except ValueError as error:
        raise errors.Malformed(f"the body is not multipart/form-data: {error}") from error
    if set(files) != {"file"} or len(files.getlist("file")) != 1 or set(form) - {"name"}:
        raise errors.Invalid("send one part called file, and beside it at most one called name", pointer="/file")
    upload = files["file"]
    upload.close()
    given = checked(schemas.UploadQuery, {"name": form["name"]}).name if "name" in form else None
    delimiter = "\t" if upload.mimetype == "text/tab-separated-values" else None
    fallback = Path(upload.filename or "").stem[:200]
    return folder / "upload", name or given or (fallback if fallback.isprintable() else "") or "dataset", delimiter, ""


def _save(read: Callable[[int], bytes], target: Path) -> None:
    """Stream the body to disk. Raises `errors.TooLarge`, and `errors.Malformed` for a body that was cut off."""
    limit, taken, told = services().settings.max_upload_bytes, 0, request.content_length
    if told is not None and told > limit:
        raise errors.TooLarge(f"the file has {told} bytes, and {limit} is the most taken here")
    with target.open("wb") as file:
        while chunk := read(CHUNK):
            taken += len(chunk)
            if taken > limit:
                raise errors.TooLarge(f"the file is larger than {limit} bytes, the most taken here")
            file.write(chunk)
    if told is not None and taken < told:  # our server ends a body that broke off as if it were whole
        raise errors.Malformed(f"the body ended after {taken} of its {told} bytes: send it again")


def _keep(folder: Path, source: Path, name: str, delimiter: str | None, sample: str) -> Dataset:
    """Parse the file, store its Parquet form, and only then write the row that names it."""
    here = services()
    key = idempotency_key()
    table = folder / "table.parquet"
    info = here.reader.read(source, table, delimiter)
    sha256, size = here.blobs.put(table)
    keyed = keyed_request(ROUTE, key, f"{sha256} {sample} {name}")
    with here.database.write() as session:
        dataset_id = new_id("ds")
        if existing_id := idempotency.find_or_reserve(session, tenant(), keyed, dataset_id):
            return datasets.get(session, tenant(), existing_id)
        refuse_when_full(session, size)
        datasets.lock_blob(session, sha256)
        if not here.blobs.holds(sha256):  # the reaper took it for an orphan, of earlier and equal bytes
            here.blobs.put(table)
        return datasets.create(
            session,
            tenant(),
            id=dataset_id,
            name=name,
            format=info.format,
            rows=info.rows,
            size=size,
            sha256=sha256,
            columns=[column.to_json() for column in info.columns],
        )


@routes("GET", "/v1/datasets", query=schemas.PageQuery, answers={200: schemas.DatasetPage})
def list_datasets(query: schemas.PageQuery) -> Answer:
    """List the datasets, newest first."""
    with services().database.read() as session:
        page = datasets.list_page(session, tenant(), query.limit, query.cursor)
    return rendering.listing(page, rendering.dataset)


@routes("GET", "/v1/datasets/{dataset_id}", answers={200: schemas.Dataset}, problems=(404,))
def read(dataset_id: str) -> Answer:
    """Read a dataset: its columns and their statistics."""
    with services().database.read() as session:
        return rendering.dataset(datasets.get(session, tenant(), dataset_id))


@routes("DELETE", "/v1/datasets/{dataset_id}", answers={204: None}, problems=(404, 409))
def delete(dataset_id: str) -> Answer:
    """Delete a dataset that no unfinished job needs, and its bytes unless another dataset has the same."""
    here = services()
    with here.database.write() as session:
        sha256 = datasets.delete(session, tenant(), dataset_id)
        record(session, "datasets.delete", dataset_id)
    with here.database.write() as session:  # if this is cut off, the reaper does it
        datasets.delete_blob(session, here.blobs, sha256)
    return None, 204


@routes("GET", "/v1/datasets/{dataset_id}/rows", query=schemas.RowsQuery, answers={200: schemas.Rows}, problems=(404,))
def rows(dataset_id: str, query: schemas.RowsQuery) -> Answer:
    """The first rows, for a look."""
    here = services()
    with here.database.read() as session:
        dataset = datasets.get(session, tenant(), dataset_id)
    with here.blobs.local_path(dataset.sha256) as path:
        return {"data": tabular.preview_rows(path, query.limit)}


@routes("GET", "/v1/samples", answers={200: schemas.Samples})
def samples() -> Answer:
    """The bundled samples, with their sources and licences."""
    listed: list[dict[str, Any]] = [asdict(sample) for sample in tabular.list_samples()]
    return {"data": listed}
