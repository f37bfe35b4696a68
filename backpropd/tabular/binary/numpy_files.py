"""The readers of NumPy's files: one array (NPY), or an archive of arrays (NPZ). Pickled objects are never loaded."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.binary.numpy_arrays import is_structured, to_arrow
from backpropd.tabular.binary.typed_reader import BLOCK_CELLS, BLOCK_ROWS, TypedReader, explained_errors
from backpropd.tabular.binary.zip_files import explained_zip_errors, extract
from backpropd.tabular.limits import TableLimits, check_columns, check_rows
from backpropd.tabular.messages import quoted
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder

BLOCK_BYTES = 8 * 1024 * 1024
MAX_HEADER = 1024 * 1024
NAMES = ("feature_names", "columns", "names")  # arrays of an archive that name the columns of its matrix
REASONS = {
    "Python objects": "it holds Python objects, which need pickle: save numbers or strings, as x.astype(float)",
    "mmap length": "the file is shorter than its header says",
    "too large": "the file is shorter than its header says",
}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Column:
    """A column of the table: of a vector, of a matrix (by number), or of a structured vector (by name)."""

    name: str
    array: Array
    index: int | str | None = None

    def slice(self, start: int, stop: int) -> pa.Array:
        """The values of some rows."""
        rows = self.array[start:stop]
        if isinstance(self.index, str):
            return to_arrow(self.name, rows[self.index])
        return to_arrow(self.name, rows if self.index is None else rows[:, self.index])


def open_npy(path: Path, options: ReadOptions, limits: TableLimits, _: ScratchFolder) -> TypedReader:
    """Open an array of one or two dimensions, or a structured one. Raises `NotATable` and `TableTooLarge`."""
    with explained_errors("npy"):
        return _reader("npy", _columns_of("", load(path, "the array"), limits), options, limits)


def open_npz(path: Path, options: ReadOptions, limits: TableLimits, scratch: ScratchFolder) -> TypedReader:
    """Open an archive of a matrix, of vectors of equal length, or of both.

    Raises `NotATable` and `TableTooLarge`.
    """
    with explained_errors("npz"):
        return _reader("npz", _columns_of_archive(_arrays(path, limits, scratch), limits), options, limits)


def load(path: Path, what: str) -> Array:
    """The array in a file, mapped and not read. Raises `NotATable`; `what` names the array."""
    try:
        array = np.lib.format.open_memmap(path, mode="r", max_header_size=MAX_HEADER)
    except MemoryError:
        raise
    except Exception as error:  # the header is parsed as Python, whose parser has errors of many kinds
        reason = next((text for part, text in REASONS.items() if part in str(error)), "its header is damaged")
        raise NotATable(f"this is a NumPy file, and {what} cannot be read: {reason}") from error
    if array.offset + array.nbytes != path.stat().st_size:
        raise NotATable(f"this is a NumPy file, and more follows behind {what}: save one array in a file")
    return array


def _arrays(path: Path, limits: TableLimits, scratch: ScratchFolder) -> dict[str, Array]:
    with explained_zip_errors(), zipfile.ZipFile(path) as archive:
        members, left, arrays = archive.infolist(), limits.upload_bytes, dict[str, Array]()
        check_columns(len(members), limits.columns)  # each array is a column at least
        for n, member in enumerate(members):
            left -= extract(archive, member, scratch() / f"{n}.npy", left)
            name = member.filename.removesuffix(".npy")
            arrays[name] = load(scratch() / f"{n}.npy", f"the array {quoted(name)}")
    return arrays


def _columns_of_archive(arrays: dict[str, Array], limits: TableLimits) -> list[_Column]:
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    names = None
    if len(matrices) == 1:
        given = next(
            (name for name in NAMES if name in arrays and arrays[name].shape == arrays[matrices[0]].shape[1:]), ""
        )
        if given and arrays[given].dtype.kind in "US":
            names = [each.decode() if isinstance(each, bytes) else each for each in arrays.pop(given).tolist()]
    lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(lengths) > 1:
        listed = ", ".join(f"{quoted(name)} {array.shape}" for name, array in [*arrays.items()][:10])
        raise NotATable(f"the arrays have different lengths: {listed}; send those of equal length")
    columns: list[_Column] = []
    for name, array in arrays.items():
        prefix = "" if matrices == [name] else name
        columns += _columns_of(prefix, array, limits, names if matrices == [name] else None)
    return columns


def _columns_of(prefix: str, array: Array, limits: TableLimits, names: Sequence[str] | None = None) -> list[_Column]:
    """The columns of an array; those of a matrix are numbered behind the prefix unless `names` are given."""
    if array.ndim not in (1, 2) or (array.ndim == 2 and is_structured(array)):
        raise NotATable(
            f"an array with the shape {array.shape} is no table: reshape it to rows and columns, as "
            "x.reshape(len(x), -1)"
        )
    width = len(array.dtype.names or ()) if is_structured(array) else array.shape[1] if array.ndim == 2 else 1
    check_columns(width, limits.columns)
    check_rows(len(array), limits.rows)
    if is_structured(array):
        return [_Column(f"{prefix}.{name}" if prefix else name, array, name) for name in array.dtype.names or ()]
    if array.ndim == 1:
        return [_Column(prefix, array)]
    names = names or [f"{prefix}_{n}" if prefix else "" for n in range(1, width + 1)]
    return [_Column(name, array, n) for n, name in enumerate(names)]


def _reader(format: str, columns: list[_Column], options: ReadOptions, limits: TableLimits) -> TypedReader:
    if not columns:
        raise EmptyDataset("there is no column: send at least two")
    schema = pa.schema([(each.name, each.slice(0, 0).type) for each in columns])
    rows = len(columns[0].array)
    return TypedReader(format, schema, partial(_batches, columns, schema), options, limits.columns, rows)


def _batches(columns: list[_Column], schema: pa.Schema) -> Generator[pa.RecordBatch, None, None]:
    row_bytes = max(1, *(each.array.strides[0] for each in columns))
    size = max(1, min(BLOCK_ROWS, BLOCK_CELLS // len(columns), BLOCK_BYTES // row_bytes))
    for start in range(0, len(columns[0].array), size):
        yield pa.record_batch([each.slice(start, start + size) for each in columns], schema)
