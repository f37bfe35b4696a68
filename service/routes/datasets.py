"""The routes of datasets and samples."""

from contextlib import suppress
from dataclasses import asdict

from backpropd import errors, tabular
from backpropd.store import datasets
from service import uploads
from service.auth.principal import record, tenant
from service.http.routing import Answer, Routes
from service.http.sending import hold_inspection
from service.schemas.datasets import (
    Dataset,
    DatasetPage,
    DatasetPreview,
    DatasetSummary,
    Rows,
    RowsQuery,
    SampleRequest,
    Samples,
    UploadQuery,
)
from service.schemas.paging import PageQuery
from service.services import services

routes = Routes("datasets")
FEW_COLUMNS = 1000  # the description of more has megabytes


@routes(
    "POST",
    "/v1/datasets",
    answers={201: Dataset},
    body=SampleRequest,
    query=UploadQuery,
    headers=("Idempotency-Key",),
    uploads=uploads.UPLOADS,
)
def create(query: UploadQuery) -> Answer:
    """Upload a table as multipart `file` or as the raw body, or make a bundled sample with JSON."""
    uploads.check_room()
    with services().blobs.workspace() as folder:
        dataset = uploads.store(folder, uploads.receive(folder, query))
    return Dataset.of(dataset), 201, {"Location": f"/v1/datasets/{dataset.id}"}


@routes(
    "POST",
    "/v1/datasets/preview",
    answers={200: DatasetPreview},
    body=SampleRequest,
    query=UploadQuery,
    uploads=uploads.UPLOADS,
)
def preview(query: UploadQuery) -> Answer:
    """Read the beginning of a table, and say what its dataset would be; nothing is stored."""
    with services().blobs.workspace() as folder:
        return uploads.preview(folder, uploads.receive(folder, query))


@routes("GET", "/v1/datasets", answers={200: DatasetPage}, query=PageQuery)
def list_datasets(query: PageQuery) -> Answer:
    """List the datasets, newest first."""
    with services().database.read() as session:
        page = datasets.list_page(session, tenant(), query.limit, query.cursor)
    return DatasetPage.of(page, map(DatasetSummary.render, page.rows))


@routes("GET", "/v1/datasets/{dataset_id}", answers={200: Dataset}, problems=(404,))
def read(dataset_id: str) -> Answer:
    """Read a dataset: its columns and their statistics."""
    with services().database.read() as session:
        _hold_if_wide(datasets.blob(session, tenant(), dataset_id).width)
        return Dataset.of(datasets.get(session, tenant(), dataset_id))


def _hold_if_wide(width: int) -> None:
    """Take what an inspection takes for a dataset of many columns. Raises `errors.RetryLater`."""
    if width > FEW_COLUMNS:
        hold_inspection()


@routes("DELETE", "/v1/datasets/{dataset_id}", answers={204: None}, problems=(404, 409))
def delete(dataset_id: str) -> Answer:
    """Delete a dataset that no unfinished job needs, and its bytes unless another dataset has the same."""
    with services().database.write() as session:
        sha256 = datasets.delete(session, tenant(), dataset_id)
        record(session, "datasets.delete", dataset_id)
    # After a crash in between, the reaper deletes the blob.
    with suppress(errors.BlobsUnavailable), services().database.write() as session:
        datasets.delete_blob(session, services().blobs, sha256)
    return None, 204


@routes("GET", "/v1/datasets/{dataset_id}/rows", answers={200: Rows}, query=RowsQuery, problems=(404,))
def rows(dataset_id: str, query: RowsQuery) -> Answer:
    """Read the first rows: `limit`, or as many as have `preview_cells` cells."""
    with services().database.read_connection() as connection:
        dataset = datasets.blob(connection, tenant(), dataset_id)
    _hold_if_wide(dataset.width)
    with datasets.local_file(services().database, services().blobs, dataset) as path:
        return {"data": tabular.preview_rows(path, query.limit, services().settings.max_preview_cells)}


@routes("GET", "/v1/samples", answers={200: Samples})
def samples() -> Answer:
    """List the bundled samples, with their sources and licences."""
    return {"data": [asdict(sample) for sample in tabular.list_samples()]}
