"""The media types of files by their extensions."""

from pathlib import Path

CSV = "text/csv"
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


def media_type_of(file: str | Path) -> str:
    """The media type that a file's extension declares, CSV by default; the service looks at the content, too."""
    return MEDIA_TYPES.get(Path(file).suffix.lower(), CSV)
