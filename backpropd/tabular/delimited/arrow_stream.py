"""The rows of a clean file, read by Arrow as strings, block by block: of one with quotes or very many columns."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from functools import partial

import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.delimited.tolerant_rows import long_row_error
from backpropd.tabular.heap import avoid_gaps

WIDE = 500  # columns; beyond, Arrow's set-up for each column of each block costs more than parsing its numbers

Task = Callable[[], pa.RecordBatch]


def stream_tasks(dialect: Dialect) -> Generator[Task, None, None]:
    """A function for each block, which gives it. Raises `NotATable` for a row that is too long."""
    yield from (partial(_itself, batch) for batch in _stream(dialect))


def arrow_options(
    dialect: Dialect, numbers: Collection[str], block_bytes: int, nulls: Sequence[str] = ()
) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    """Arrow's options: the columns `numbers` become float64, in which the cells `nulls` are missing, others strings."""
    are_numbers = frozenset(numbers)
    types = {name: pa.float64() if name in are_numbers else pa.string() for name in dialect.names}
    quote = dialect.syntax.quote or False
    return (
        pa_csv.ReadOptions(block_size=block_bytes, column_names=list(dialect.names)),
        pa_csv.ParseOptions(delimiter=dialect.syntax.delimiter, quote_char=quote, newlines_in_values=True),
        # the whole text was decoded when its encoding was found
        pa_csv.ConvertOptions(check_utf8=False, column_types=types, null_values=list(nulls)),
    )


def _stream(dialect: Dialect) -> Iterator[pa.RecordBatch]:
    """The rows block by block, every column as strings."""
    if dialect.width > WIDE:
        avoid_gaps()
    with dialect.open_rows() as file:
        if not file.peek(1):
            return
        try:
            with pa_csv.open_csv(
                pa.PythonFile(file, "r"), *arrow_options(dialect, (), dialect.max_row_bytes)
            ) as batches:
                yield from batches
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise _long_row_error(dialect) from error
            raise


def _long_row_error(dialect: Dialect) -> Exception:
    """The error for a row longer than a block; slow, because it looks for its line."""
    limit = dialect.max_row_bytes // 4  # a character takes up to four bytes
    quote = dialect.syntax.quote
    size, line, is_open = 0, 0, False
    for text in dialect.text.lines():
        line += 1
        size += len(text)
        is_open ^= bool(quote) and text.count(quote) % 2 == 1
        if size > limit and not is_open:
            break
        size = size if is_open else 0
    return long_row_error(dialect, line)


def _itself(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch
