"""Datasets: upload, list and read tables."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from backpropd.client.resources.base import Resource, Rows, idempotency_header
from backpropd.client.types import Dataset, DatasetSummary

CHUNK_BYTES = 1024 * 1024
# By a file's extension; the service looks at the content too.
MEDIA_TYPES = {
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".pq": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".feather": "application/vnd.apache.arrow.file",
    ".ipc": "application/vnd.apache.arrow.file",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
}
COMPRESSED = (".gz", ".zst")


class Datasets(Resource):
    """Tables that jobs train on."""

    PATH = "/v1/datasets"

    def upload(
        self,
        file: str | Path | BinaryIO,
        name: str | None = None,
        *,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Dataset:
        """Upload a file, streamed from disk; `on_bytes` receives the number of bytes sent so far.

        It may be CSV, TSV, JSON, JSON lines, Parquet, Arrow, NPY, NPZ or XLSX, also compressed with gzip or zstd.

        A seekable file is sent again if the service is unavailable, under one Idempotency-Key.
        """
        if isinstance(file, str | Path):
            with open(file, "rb") as opened:
                return self._upload(opened, name or _stem(Path(file)), str(file), on_bytes)
        return self._upload(file, name, "", on_bytes)

    def _upload(self, file: BinaryIO, name: str | None, path: str, on_bytes: Callable[[int], None] | None) -> Dataset:
        headers = {"Content-Type": MEDIA_TYPES.get(Path(path).suffix.lower(), "text/csv")}
        start = file.tell() if file.seekable() else None
        if start is not None:
            headers |= {"Content-Length": str(file.seek(0, os.SEEK_END) - start), **idempotency_header()}
        dataset = self._transport.json(
            "POST",
            self.PATH,
            params={"name": name[:200]} if name else {},
            body=lambda: _chunks(file, start, on_bytes),
            headers=headers,
            repeatable=start is not None,
        )
        return cast(Dataset, dataset)

    def sample(self, sample: str, /, **parameters: Any) -> Dataset:
        """Create a dataset from a bundled sample; generated samples take `noise`, `rows` and `seed`."""
        body = {"sample": sample, **parameters}
        dataset = self._transport.json("POST", self.PATH, json=body, headers=idempotency_header(), repeatable=True)
        return cast(Dataset, dataset)

    def get(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return cast(Dataset, self._transport.json("GET", self._path(dataset_id)))

    def list(self) -> Iterator[DatasetSummary]:
        """All datasets, newest first, without their columns."""
        return self._pages()

    def rows(self, dataset_id: str, limit: int = 20) -> Rows:
        """The first rows."""
        return cast(Rows, self._transport.json("GET", self._path(dataset_id, "/rows"), params={"limit": limit})["data"])


def _stem(path: Path) -> str:
    """The file's name without the extensions of its format and compression."""
    return Path(path.stem).stem if path.suffix.lower() in COMPRESSED else path.stem


def _chunks(file: BinaryIO, start: int | None, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
    """The file's bytes from offset `start`, or from its current position if it is not seekable."""
    if start is not None:
        file.seek(start)
    sent = 0
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
        sent += len(chunk)
        if on_bytes is not None:
            on_bytes(sent)
