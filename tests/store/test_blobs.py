"""Blobs: named by their content, on a local disk and elsewhere."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from backpropd import errors
from backpropd.store.blobs import Blobs
from backpropd.store.verification import SETTLED_SECONDS


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"), tmp_path / "scratch")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "file"
    source.write_bytes(b"hello")
    return source


def test_blobs_are_named_by_their_content(blobs: Blobs, source: Path) -> None:
    sha256, size = blobs.put(source)
    assert blobs.put(source) == (sha256, size)
    assert sha256.startswith("2cf24dba")
    with blobs.local_path(sha256, "the file") as path:
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
    with blobs.local_path(sha256, "the file") as path:
        assert path.read_bytes() == b"hello"
    assert not path.exists()
    assert list(blobs.older_than(-60)) == [sha256]
    assert list(blobs.older_than(60)) == []
    blobs.delete(sha256)
    assert list(blobs.older_than(-60)) == []


def test_no_bit_of_a_blob_can_change_unnoticed(blobs: Blobs, source: Path, caplog: pytest.LogCaptureFixture) -> None:
    source.write_bytes(bytes(range(256)) * 8)
    sha256, size = blobs.put(source)
    with blobs.local_path(sha256, "the dataset ds_1") as path:
        content = path.read_bytes()
    for bit in range(0, 8 * size, 61):
        path.write_bytes(content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])
        with (
            pytest.raises(errors.BlobDamaged, match="the dataset ds_1 are damaged"),
            blobs.local_path(sha256, "the dataset ds_1"),
        ):
            pytest.fail("it was served")
    path.write_bytes(content[:-1])
    with pytest.raises(errors.BlobDamaged), blobs.local_path(sha256, "the dataset ds_1"):
        pytest.fail("it was served")
    assert "is damaged" in caplog.text
    blobs.put(source)  # the same file again
    with blobs.local_path(sha256, "the dataset ds_1") as path:
        assert path.read_bytes() == content


def test_a_file_that_was_verified_is_verified_again_when_it_has_changed(blobs: Blobs, source: Path) -> None:
    sha256, _ = blobs.put(source)
    time.sleep(SETTLED_SECONDS + 0.1)  # only then it is remembered
    for _ in range(2):
        with blobs.local_path(sha256, "the file") as path:
            times = path.stat()
    path.write_bytes(b"jello")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(errors.BlobDamaged), blobs.local_path(sha256, "the file"):
        pytest.fail("it was served")


@pytest.mark.parametrize("location", ["memory://missing", "folder"])
def test_a_missing_blob_has_an_error_of_its_own(location: str, source: Path, tmp_path: Path) -> None:
    blobs = Blobs(location if "://" in location else str(tmp_path / location), tmp_path / "scratch")
    sha256, _ = blobs.put(source)
    blobs.delete(sha256)
    with pytest.raises(errors.BlobMissing, match="the dataset ds_1 are missing"):
        blobs.local_path(sha256, "the dataset ds_1").__enter__()


def test_a_damaged_copy_of_a_remote_blob_is_noticed(source: Path, tmp_path: Path) -> None:
    blobs = Blobs("memory://damaged", tmp_path / "scratch")
    sha256, _ = blobs.put(source)
    fsspec.filesystem("memory").pipe_file(f"/damaged/{sha256[:2]}/{sha256}", b"jello")
    with pytest.raises(errors.BlobDamaged):
        blobs.local_path(sha256, "the file").__enter__()


@pytest.mark.parametrize("name", ["a b", "100%25", "what?x=1", "no #1", "naïve 数据", "a::b", "c:d", "s3:x"])
def test_a_folder_may_have_any_name(name: str, source: Path, tmp_path: Path) -> None:
    for location in (str(tmp_path / name), (tmp_path / name).as_uri()):
        blobs = Blobs(location, tmp_path / name / "scratch")
        sha256, _ = blobs.put(source)
        assert (tmp_path / name / sha256[:2] / sha256).read_bytes() == b"hello"
        assert blobs.exists(sha256)
        assert list(blobs.older_than(-60)) == [sha256]
        blobs.delete(sha256)
        assert not blobs.exists(sha256)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [name]


def test_whatever_lies_in_the_scratch_folder_is_removed_when_it_is_old(blobs: Blobs, tmp_path: Path) -> None:
    scratch, kept = blobs.scratch, tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (scratch / "file").touch()
    (scratch / "folder" / "in").mkdir(parents=True)
    (scratch / "link").symlink_to(kept, target_is_directory=True)
    (scratch / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(scratch / "pipe")
    (scratch / "folder" / "link").symlink_to(kept)
    (scratch / "locked").mkdir(mode=0)
    blobs.tidy_scratch(60)
    assert len(list(scratch.iterdir())) == 6
    blobs.tidy_scratch(-60)
    assert list(scratch.iterdir()) == []
    assert (kept / "file").exists()


def test_a_workspace_in_use_stays_however_old_it_seems(blobs: Blobs) -> None:
    """As after the machine's clock was set an hour ahead, or while an ensemble is trained for an hour."""
    with blobs.workspace() as folder:
        blobs.tidy_scratch(-3600)
        assert folder.exists()
        child = os.fork()
        if not child:  # a worker that is killed leaves its workspace, without a lock
            abandoned = blobs.workspace()
            abandoned.__enter__()
            os._exit(0)
        os.waitpid(child, 0)
        assert len(list(blobs.scratch.iterdir())) == 2
        blobs.tidy_scratch(-3600)
        assert list(blobs.scratch.iterdir()) == [folder]


@pytest.mark.parametrize("location", ["memory://clock", "folder"])
@pytest.mark.parametrize("hours", [-1, 1])
def test_the_age_of_a_blob_does_not_depend_on_this_machines_clock(
    location: str, hours: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(location if "://" in location else str(tmp_path / location), tmp_path / "scratch")
    sha256, _ = blobs.put(source)
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + hours * 3600)
    assert list(blobs.older_than(60)) == []
    assert list(blobs.older_than(-60)) == [sha256]
    blobs.delete(sha256)
    assert list(blobs.older_than(-60)) == []  # also nothing that showed the time


def test_what_cannot_be_removed_does_not_keep_the_rest(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c"):
        (blobs.scratch / name).mkdir()
    rmtree = shutil.rmtree

    def refuse_b(path: Path) -> None:  # root, who runs the tests in a container, may remove everything
        if path.name == "b":
            raise PermissionError(path)
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", refuse_b)
    blobs.tidy_scratch(-60)
    assert [path.name for path in blobs.scratch.iterdir()] == ["b"]
    assert "b in the scratch folder cannot be removed" in caplog.text


def test_foreign_files_beside_the_blobs_are_ignored(blobs: Blobs, source: Path) -> None:
    blobs.put(source)
    for name in ("README", ".DS_Store", "2c"):
        (blobs.folder / "2c" / name).touch()
    assert len(list(blobs.older_than(-60))) == 1
