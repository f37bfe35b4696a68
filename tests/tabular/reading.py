"""Files read in tests: what is ingested, and the rows as they were stored."""

from pathlib import Path

from backpropd.tabular import IngestedTable, ReadOptions, Table, ingest
from backpropd.tabular.ingest import GUESS_ALL


def read(folder: Path, data: bytes | str, options: ReadOptions = GUESS_ALL) -> tuple[IngestedTable, Path]:
    source, target = folder / "table.csv", folder / "table.parquet"
    source.write_bytes(data if isinstance(data, bytes) else data.encode())
    return ingest(source, target, options=options), target


def levels(path: Path) -> list[str]:
    return Table.read(path, ["a"]).columns["a"].levels  # type: ignore[union-attr]


def kinds(info: IngestedTable) -> dict[str, str]:
    return {column.name: column.kind for column in info.columns}
