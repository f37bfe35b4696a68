"""The rows of a table to predict come in blocks that do not depend on how its file divides them."""

from pathlib import Path

import pyarrow as pa
import pytest

from backpropd.tabular import ColumnInfo
from backpropd.tabular.inputs.table_rows import TableRows


@pytest.mark.parametrize(("rows", "sizes"), [(2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (9, [5])])
def test_blocks_have_the_requested_number_of_rows(tmp_path: Path, rows: int, sizes: list[int]) -> None:
    path = tmp_path / "table"
    batches = [pa.record_batch({"x": pa.array(part, pa.float64())}) for part in ([0, 1, 2], [3], [4])]
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    table = TableRows(path, 5, [ColumnInfo("x", "number", 0, 0, {})])
    blocks = [block["x"].values.to_pylist() for block in table.blocks(["x"], rows)]
    assert list(map(len, blocks)) == sizes
    assert [x for block in blocks for x in block] == [0, 1, 2, 3, 4]
