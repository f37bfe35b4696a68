"""Datasets: upload, list and read tables."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from backpropd.client.dataset_types import Dataset, DatasetPreview, DatasetSummary
from backpropd.client.media_types import CSV, media_type_of
from backpropd.client.resources.base import Resource, Rows, idempotency_header, query_of

CHUNK_BYTES = 1024 * 1024
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
        **options: Any,
    ) -> Dataset:
        """Upload a file, streamed from disk; `on_bytes` receives the number of bytes sent so far.

        It may be CSV, TSV, JSON, JSON lines, Parquet, Arrow, NPY, NPZ or XLSX, also compressed with gzip or zstd.
        `options` correct how it is read: `encoding, delimiter, quote, decimal, thousands, header, skip_lines, comment,
        missing, kinds, sheet, strict` as in the API.

        A seekable file is sent again if the service is unavailable, under one Idempotency-Key.
        """
        return cast(Dataset, self._send(self.PATH, file, name, on_bytes, options))

    def preview(self, file: str | Path | BinaryIO, name: str | None = None, **options: Any) -> DatasetPreview:
        """What the dataset of a file would be with these options of `upload`, and its first rows; nothing is stored."""
        return cast(DatasetPreview, self._send(f"{self.PATH}/preview", file, name, None, options))

    def _send(
        self,
        path: str,
        file: str | Path | BinaryIO,
        name: str | None,
        on_bytes: Callable[[int], None] | None,
        options: Mapping[str, Any],
    ) -> Any:
        query = query_of(options)
        if isinstance(file, str | Path):
            media_type = media_type_of(file)
            with open(file, "rb") as opened:
                return self._send_opened(
                    path, opened, media_type, on_bytes, {**query, "name": name or _stem(Path(file))}
                )
        return self._send_opened(path, file, CSV, on_bytes, {**query, "name": name} if name else query)

    def _send_opened(
        self, path: str, file: BinaryIO, media_type: str, on_bytes: Callable[[int], None] | None, query: dict[str, str]
    ) -> Any:
        headers = {"Content-Type": media_type}
        start = file.tell() if file.seekable() else None
        if start is not None:
            headers |= {"Content-Length": str(file.seek(0, os.SEEK_END) - start), **idempotency_header()}
        return self._transport.json(
            "POST",
            path,
            params={**query, "name": query["name"][:200]} if "name" in query else query,
            body=lambda: _chunks(file, start, on_bytes),
            headers=headers,
            repeatable=start is not None,
        )

    def sample(self, sample: str, /, **parameters: Any) -> Dataset:
        """Create a dataset from a bundled sample, with the options of `upload`.

        Generated samples also take `noise`, `rows` and `seed`.
        """
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
