"""From an uploaded table, in each of its forms, to a stored dataset."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
from flask import request
from werkzeug.formparser import FormDataParser

from backpropd import errors, tabular
from backpropd.store import datasets, idempotency, sizes
from backpropd.store.blobs import sha256_of
from backpropd.store.idempotency import KeyedRequest
from backpropd.store.ids import new_id
from backpropd.store.sql.schema import Dataset
from backpropd.tabular.compression import COMPRESSIONS
from backpropd.tabular.formats import COMPRESSED_MEDIA_TYPES, DEFAULT_FORMAT, FORMAT_OF_MEDIA_TYPE, FORMATS
from service.auth.principal import tenant
from service.http.back import FRONT, borrowed_sandbox
from service.http.handover import hand_over
from service.http.idempotency import idempotency_key, keyed_request
from service.http.openapi import REF
from service.http.parsing import body_stream, check_encoding, validate
from service.http.strict_json import read_json
from service.limits.admission import waiting
from service.schemas.datasets import DatasetPreview, SampleRequest, UploadQuery
from service.server.disconnect import Disconnect
from service.services import services

CHUNK_BYTES = 1024 * 1024
PREVIEW_BYTES = 256 * 1024  # of text and JSON
PREVIEW_ROWS = 20
FORM = "multipart/form-data"
JSON = "application/json"
JSON_TABLES = [
    {"type": "array", "minItems": 1, "items": {"type": ["object", "array"]}},
    {"type": "object", "minProperties": 1},
]
MAX_SAMPLE_BYTES = 64 * 1024  # of the JSON that asks for a sample
NAMES_A_SAMPLE = re.compile(rb"""\s*\{\s*"sample"\s*:\s*+(?![\[{])""")  # a list or an object would be a table's column
# The request body's media types for the OpenAPI document. Any bytes may come: the reader decides what is a table.
UPLOADS = {
    JSON: {"schema": {"anyOf": [{"$ref": REF.format(model=SampleRequest.__name__)}, *JSON_TABLES]}},
    FORM: {
        "schema": {
            "type": "object",
            "required": ["file"],
            "additionalProperties": False,
            "properties": {
                "file": {"type": "string", "format": "binary"},
                **UploadQuery.model_json_schema()["properties"],
            },
        }
    },
    **{each.media_types[0]: {"schema": {}} for each in FORMATS.values() if JSON not in each.media_types},
    **{media_type: {"schema": {}} for media_type in COMPRESSED_MEDIA_TYPES},
}


@dataclass(frozen=True)
class Upload:
    """A received table: its file, the dataset's name, the declared format, how to read it, and
    the sample's name if it is one.
    """

    file: Path
    name: str
    format: str
    options: tabular.ReadOptions
    sample: str = ""


def check_room() -> None:
    """Raise `errors.StorageFull` before the body is read, if nothing more can be stored.

    A repeated request is answered as the first one was: whether it is one, only its body shows.
    """
    if idempotency_key() is None:
        with services().database.read() as session:
            services().storage_quota.check_recent(session, tenant(), sizes.DATASET)


def receive(folder: Path, query: UploadQuery) -> Upload:
    """Write this request's table to a file in `folder`; its content says more than its media type.

    Raises `errors.TooLarge`, `errors.Malformed`, `errors.Invalid`.
    """
    file = folder / "upload"
    if request.mimetype == FORM:
        return _receive_form(file, query)
    receive_body(file)
    if request.mimetype == JSON and (body := _sample_request(file)) is not None:
        return _make_sample(file, query, body)
    declared = FORMAT_OF_MEDIA_TYPE.get(request.mimetype, DEFAULT_FORMAT)
    return Upload(file, query.name or "dataset", declared, query.to_options())


def _sample_request(file: Path) -> SampleRequest | None:
    """The request for a sample in this JSON; None if it is a table."""
    if file.stat().st_size > MAX_SAMPLE_BYTES:
        return None
    raw = file.read_bytes()
    if not NAMES_A_SAMPLE.match(raw):
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(value, dict) or not isinstance(value.get("sample"), str):
            return None
    return validate(SampleRequest, read_json(raw))


def _make_sample(file: Path, query: UploadQuery, body: SampleRequest) -> Upload:
    options = body.over(query).to_options()
    tabular.write_sample(body.sample, file, noise=body.noise, rows=body.rows, seed=body.seed)
    return Upload(file, query.name or body.name or body.sample, DEFAULT_FORMAT, options, body.sample)


def _receive_form(target: Path, query: UploadQuery) -> Upload:
    """Write the form's field `file` to disk as it arrives."""
    check_encoding(request)
    stream = body_stream(request, services().settings.max_upload_bytes)
    parser = FormDataParser(
        stream_factory=lambda *_, **__: target.open("w+b"),
        max_content_length=services().settings.max_upload_bytes,
        max_form_memory_size=CHUNK_BYTES,
        max_form_parts=20,
        silent=False,
    )
    try:
        _, form, files = parser.parse(stream, FORM, request.content_length, request.mimetype_params)
    except ValueError as error:
        raise errors.Malformed(f"the body is not {FORM}: {error}") from error
    if set(files) != {"file"} or len(files.getlist("file")) != 1:
        raise errors.Invalid("send one file, in a field called file", pointer="/file")
    upload = files["file"]
    upload.close()
    if repeated := [name for name in form if len(form.getlist(name)) > 1]:
        raise errors.Invalid("send each field once", pointer=errors.pointer(repeated[0]))
    given = validate(UploadQuery, {**query.model_dump(exclude_unset=True), **form.to_dict()}, strict=False)
    stem = Path(upload.filename or "").stem[:200]
    fallback = stem if stem.isprintable() and stem else "dataset"
    declared = FORMAT_OF_MEDIA_TYPE.get(upload.mimetype, DEFAULT_FORMAT)
    return Upload(target, query.name or given.name or fallback, declared, given.to_options())


def receive_body(target: Path) -> None:
    """Write the request's body to a file. Raises `errors.TooLarge`, `errors.Malformed` for a body that broke off."""
    check_encoding(request, *COMPRESSIONS)  # a compressed table is recognized by its content
    limit, received, announced = services().settings.max_upload_bytes, 0, request.content_length
    if announced is not None and announced > limit:
        raise errors.TooLarge(f"the file has {announced} bytes, and the limit is {limit}")
    stream = body_stream(request, limit)
    if _give_name(stream, target):
        received = target.stat().st_size
    else:
        with target.open("wb") as file:
            while received <= limit and (chunk := stream.read(CHUNK_BYTES)):
                received += len(chunk)
                file.write(chunk)
    if received > limit:
        raise errors.TooLarge(f"the file is larger than {limit} bytes, the limit")
    if received < (announced or 0):  # the server does not tell a body that broke off from a whole one
        raise errors.Malformed(f"the body ended after {received} of its {announced} bytes: send it again")


def _give_name(stream: IO[bytes], target: Path) -> bool:
    """Give the file in which the front received the body a name, which saves a copy; False where that is impossible."""
    with suppress(OSError):  # io.UnsupportedOperation is one
        # a directory's descriptor makes `os.link` follow the symbolic link
        descriptors = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.link(str(stream.fileno()), target, src_dir_fd=descriptors, follow_symlinks=True)
        finally:
            os.close(descriptors)
        return True
    return False


def read_table(
    file: Path, parquet: Path, format: str, options: tabular.ReadOptions, *, beginning: int | None = None
) -> tabular.IngestedTable:
    """`SandboxedReader.read`, when it is the tenant's turn. Raises `errors.TooManyAtOnce` if too many tables wait."""
    with _sandbox() as connect:
        return services().reader.read(
            file, parquet, format, options, beginning=beginning, connect=connect, before_long=hand_over
        )


@contextmanager
def _sandbox() -> Iterator[Callable[[], socket.socket]]:
    """A function that connects to the sandbox, when it is the tenant's turn."""
    if front := request.environ.get(FRONT):
        with borrowed_sandbox(front) as connect:
            yield connect
    else:
        with waiting(request.environ), services().table_reads.slot(tenant()), tabular.connect_to_sandbox() as sandbox:
            Disconnect.of(request.environ).end(sandbox)
            yield lambda: sandbox


def preview(folder: Path, upload: Upload) -> dict[str, Any]:
    """The dataset that the file would become, as far as its beginning tells, rendered. Raises what `store` raises."""
    parquet = folder / "table.parquet"
    table = read_table(upload.file, parquet, upload.format, upload.options, beginning=PREVIEW_BYTES)
    rows = tabular.preview_rows(parquet, PREVIEW_ROWS, services().settings.max_preview_cells)
    return DatasetPreview.of(upload.name, table, rows)


def store(folder: Path, upload: Upload) -> Dataset:
    """Parse the file, store its Parquet form, and only then write the row that names it.

    If an earlier request with this Idempotency-Key made a dataset, gives that. Raises `errors.NotATable` and its like,
    and `errors.StorageFull`, after which neither a blob nor a row of this upload is left.
    """
    key, parquet = idempotency_key(), folder / "table.parquet"
    info = read_table(upload.file, parquet, upload.format, upload.options)
    about = {"name": upload.name, "format": info.format, "rows": info.rows, "dialect": info.dialect}
    about["columns"] = [column.to_json() for column in info.columns]
    about["warnings"] = [warning.to_json() for warning in info.warnings]
    sha256, size = sha256_of(parquet), parquet.stat().st_size
    keyed = keyed_request(key, f"{sha256} {upload.sample} {upload.name} {upload.options}")
    quota, stored = services().storage_quota, sizes.of_dataset(about, size) + (sizes.IDEMPOTENCY_KEY if keyed else 0)
    with services().database.read() as session:
        if existing_id := idempotency.find(session, tenant(), keyed):
            return datasets.get(session, tenant(), existing_id)
        quota.check(session, tenant(), stored)
    services().blobs.put(parquet)
    try:
        return _insert(parquet, keyed, stored, sha256=sha256, size=size, **about)
    except errors.StorageFull:  # another request has used the room in the meantime
        with suppress(errors.BlobsUnavailable), services().database.write() as session:
            datasets.delete_blob(session, services().blobs, sha256)
        raise


def _insert(parquet: Path, keyed: KeyedRequest | None, stored: int, *, sha256: str, **about: Any) -> Dataset:
    """The new dataset, whose blob is stored, or the one that a concurrent request with the same key has made."""
    dataset_id, blobs = new_id("ds"), services().blobs
    with services().database.write() as session:
        if existing_id := idempotency.find_or_reserve(session, tenant(), keyed, dataset_id):
            return datasets.get(session, tenant(), existing_id)
        services().storage_quota.check(session, tenant(), stored)
        datasets.lock_blob(session, sha256)
        if not blobs.exists(sha256):  # the reaper deleted it, as the orphan of an equal and deleted dataset
            blobs.put(parquet)
        return datasets.create(session, tenant(), id=dataset_id, sha256=sha256, **about)
