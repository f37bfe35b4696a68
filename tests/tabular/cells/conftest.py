"""What the tests of whole columns share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backpropd.tabular import ColumnInfo, IngestedTable, ReadOptions, Table, ingest


class Upload:
    """An ingested table of one column `x` beside a column of row numbers, with its values."""

    def __init__(self, table: IngestedTable, path: Path) -> None:
        self.table, self.path = table, path

    @property
    def info(self) -> ColumnInfo:
        return next(info for info in self.table.columns if info.name == "x")

    @property
    def values(self) -> list[Any]:
        column: Any = Table.read(self.path, ["x"]).columns["x"]
        return (
            column.tolist() if hasattr(column, "tolist") else [*map([*column.levels, None].__getitem__, column.codes)]
        )

    @property
    def codes(self) -> list[str]:
        return [warning.code for warning in self.table.warnings if warning.column == "x"]


class Uploader:
    """Ingests columns of cells as a file in which every cell is quoted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, cells: Sequence[str], others: Sequence[str] | None = None, **options: Any) -> Upload:
        source, target = self._folder / "table.csv", self._folder / "table.parquet"
        rows = zip(cells, others or ["word"] * len(cells), strict=True)
        lines = [f"{_quoted(cell)},{_quoted(other)}" for cell, other in rows]
        source.write_text("\n".join(["x,other", *lines, ""]))
        return Upload(ingest(source, target, options=ReadOptions(**options)), target)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@pytest.fixture
def upload(tmp_path: Path) -> Uploader:
    return Uploader(tmp_path)
