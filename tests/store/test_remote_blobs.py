"""Blobs in a real S3 server: in every process of a program, and with every fault of the server."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from botocore import auth

from backpropd import errors
from backpropd.store import remote_blobs
from backpropd.store.blobs import Blobs
from tests.servers import S3

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, with its address and keys in the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def blobs(s3: S3, tmp_path: Path) -> Blobs:
    return Blobs(s3.url, tmp_path / "scratch")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "file"
    source.write_bytes(os.urandom(200_000))
    return source


def read(blobs: Blobs, sha256: str) -> bytes:
    with blobs.local_path(sha256, "the dataset ds_1") as path:
        return path.read_bytes()


def test_a_blob_is_stored_read_listed_and_deleted(blobs: Blobs, source: Path) -> None:
    blobs.check()
    sha256, _ = blobs.put(source)
    assert blobs.put(source) == (sha256, 200_000)
    assert read(blobs, sha256) == source.read_bytes()
    assert (list(blobs.older_than(-60)), list(blobs.older_than(60))) == ([sha256], [])
    blobs.check()
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert not blobs.exists(sha256)
    with pytest.raises(errors.BlobMissing, match="the dataset ds_1 are missing"):
        read(blobs, sha256)


def test_a_listing_shows_what_another_program_has_written_since_the_last_one(
    s3: S3, blobs: Blobs, source: Path, tmp_path: Path
) -> None:
    assert list(blobs.older_than(-60)) == []
    other = Blobs(s3.url, tmp_path / "other" / "scratch")
    sha256, _ = other.put(source)
    assert list(blobs.older_than(-60)) == [sha256]
    other.delete(sha256)
    assert list(blobs.older_than(-60)) == []


def test_a_child_process_and_many_threads_read_with_the_object_of_their_parent(blobs: Blobs, source: Path) -> None:
    sha256, _ = blobs.put(source)  # which opened connections here
    child = os.fork()
    if not child:
        os._exit(read(blobs, sha256) != source.read_bytes())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: read(blobs, sha256), range(40))) == {source.read_bytes()}
    blobs.delete(sha256)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", r"refuses this service \(.*signature.*\): an operator has to mend its"),
        ("AWS_ACCESS_KEY_ID", "wrong", r"refuses this service \(.*\): an operator has to mend its"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "does not answer"),
    ],
)
def test_wrong_credentials_and_a_wrong_address_are_one_sentence(
    blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    for action in (blobs.check, lambda: blobs.put(source), lambda: list(blobs.older_than(0))):
        with pytest.raises(errors.BlobsUnavailable, match=message) as raised:
            action()
        assert len(raised.value.detail) < 300
        assert "127.0.0.1" not in raised.value.detail


def test_missing_credentials_and_a_missing_bucket_are_named(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.BlobsUnavailable, match="there is no bucket elsewhere"):
        Blobs("s3://elsewhere/backpropd", tmp_path / "scratch").check()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(errors.BlobsUnavailable, match="Unable to locate credentials"):
        Blobs(s3.url, tmp_path / "scratch").check()


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_machine_whose_clock_is_an_hour_off_uses_the_servers_time(
    s3: S3, blobs: Blobs, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    true_time, shift = auth.get_current_datetime, [timedelta(hours=hours)]
    monkeypatch.setattr(auth, "get_current_datetime", lambda: true_time() + shift[0])
    assert not blobs.exists("0" * 64)  # a HEAD request, whose refusal has no reason in it
    sha256, _ = blobs.put(source)
    assert read(blobs, sha256) == source.read_bytes()
    assert (list(blobs.older_than(60)), list(blobs.older_than(-60))) == ([], [sha256])
    shift[0] = timedelta()  # the clock is set
    assert read(blobs, sha256) == source.read_bytes()
    blobs.check()
    blobs.delete(sha256)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    shift[0] = timedelta(hours=hours)
    with pytest.raises(errors.BlobsUnavailable, match="refuses this service"):
        Blobs(s3.url, tmp_path / "scratch").check()


def test_a_slow_server_is_waited_for(s3: S3, blobs: Blobs, source: Path) -> None:
    done = threading.Event()

    def stop_and_go() -> None:
        while not done.is_set():
            s3.freeze()
            done.wait(0.3)
            s3.thaw()
            done.wait(0.02)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(stop_and_go)
        try:
            sha256, _ = blobs.put(source)
            assert read(blobs, sha256) == source.read_bytes()
            blobs.delete(sha256)
        finally:
            done.set()


def test_a_server_that_hangs_or_disappears_is_unavailable_until_it_returns(
    s3: S3, blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(remote_blobs.OPTIONS["s3"]["config_kwargs"], "read_timeout", 0.5)
    sha256, _ = blobs.put(source)
    s3.freeze()
    for action in (lambda: read(blobs, sha256), lambda: blobs.put(source)):
        with pytest.raises(errors.BlobsUnavailable, match="does not answer"):
            action()
    s3.thaw()
    s3.kill()
    for action in (blobs.check, lambda: read(blobs, sha256), lambda: blobs.exists(sha256), lambda: blobs.put(source)):
        with pytest.raises(errors.BlobsUnavailable, match="does not answer"):
            action()
    s3.start()
    assert read(blobs, sha256) == source.read_bytes()
    blobs.delete(sha256)
