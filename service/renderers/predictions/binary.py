"""Predictions as Parquet and as Arrow, written as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import RawIOBase
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backpropd.learn.predictor import Block
from service.renderers.predictions.block_columns import all_columns

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def render_parquet(blocks: Iterable[Block], warnings: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """A Parquet file with a group of rows for each block."""
    return _render(blocks, warnings, _parquet_writer)


def render_arrow_stream(blocks: Iterable[Block], warnings: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """An Arrow stream."""
    return _render(blocks, warnings, pa.ipc.new_stream)


def render_arrow_file(blocks: Iterable[Block], warnings: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """An Arrow file."""
    return _render(blocks, warnings, pa.ipc.new_file)


def _parquet_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """Numbers seldom repeat, and trying a dictionary for them takes longer than all the rest."""
    return pq.ParquetWriter(sink, schema, use_dictionary=[each.name for each in schema if each.type == pa.string()])


class _Sink(RawIOBase):
    """A file whose bytes are taken away as soon as they are written."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: ReadableBuffer, /) -> int:
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._position += len(chunk)
        return len(chunk)

    def take(self) -> bytes:
        """The bytes since the last time."""
        taken, self._chunks = b"".join(self._chunks), []
        return taken


def _render(
    blocks: Iterable[Block], warnings: Sequence[dict[str, Any]], open_writer: Callable[..., Any]
) -> Iterator[bytes]:
    sink, writer = _Sink(), None
    for block in blocks:
        columns = {name: _plain(values) for name, values in all_columns(block).items()}
        if writer is None:
            schema = pa.schema([(name, values.type) for name, values in columns.items()])
            schema = schema.with_metadata({"warnings": orjson.dumps(warnings)})
            writer = open_writer(sink, schema)
        writer.write_batch(pa.record_batch(list(columns.values()), schema))
        yield sink.take()
    if writer is not None:
        writer.close()
    yield sink.take()


def _plain(values: pa.Array) -> pa.Array:
    """Strings instead of a dictionary, and null for a number that is not finite."""
    if pa.types.is_dictionary(values.type):
        return values.cast(pa.string())
    if not pa.types.is_floating(values.type):
        return values
    is_finite = pc.is_finite(values)
    return values if pc.all(is_finite).as_py() else pc.if_else(is_finite, values, None)
