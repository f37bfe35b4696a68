"""Blobs: named by their content, on a local disk and elsewhere."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backpropd.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri(), tmp_path / "scratch")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "file"
    source.write_bytes(b"hello")
    return source


def test_blobs_are_named_by_their_content(blobs: Blobs, source: Path) -> None:
    sha256, size = blobs.put(source)
    assert blobs.put(source) == (sha256, size)
    assert sha256.startswith("2cf24dba")
    with blobs.local_path(sha256) as path:
        assert path.read_bytes() == b"hello"
        os.utime(path, (0, 0))
    assert list(blobs.older_than(60)) == [sha256]
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert list(blobs.older_than(-60)) == []


def test_equal_files_can_be_stored_concurrently(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    source.write_bytes(bytes(100_000))
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: blobs.put(source), range(200)))) == 1
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("url", ["memory://blobs", "dir::file://{folder}"])
def test_a_blob_of_another_file_system_is_copied_for_reading_and_can_be_listed_and_deleted(
    url: str, source: Path, tmp_path: Path
) -> None:
    blobs = Blobs(url.format(folder=tmp_path / "blobs"), tmp_path / "scratch")
    sha256, _ = blobs.put(source)
    with blobs.local_path(sha256) as path:
        assert path.read_bytes() == b"hello"
    assert not path.exists()
    assert list(blobs.older_than(-60)) == [sha256]
    assert list(blobs.older_than(60)) == []
    blobs.delete(sha256)
    assert list(blobs.older_than(-60)) == []
