"""What is stored is damaged while the API runs: the rest is served, it says what is wrong, and no detail leaks."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.attacks.api import Api, running_api
from tests.embedded.running import eventually

pytestmark = pytest.mark.acceptance

TABLE = "a,b,y\n" + "".join(f"{n},{n % 7},{'pq'[n % 2]}\n" for n in range(200))
WEEK = 7 * 24 * 3600.0  # seconds
INTERNAL = re.compile(
    r"Traceback|Error\(|[Ss][Qq][Ll]ite|SELECT|no such table|malformed|127\.0\.0\.1|\.db\b|\.sock|/tmp|blobs/|\d+/\d+/"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API whose data tests damage and mend."""
    with running_api(tmp_path_factory.mktemp("own")) as running:
        yield running


def blob(api: Api) -> Path:
    """The file of the only blob."""
    (found,) = (path for path in (api.settings.data_dir / "blobs").rglob("*") if path.is_file())
    return found


def reads(http: httpx.Client, dataset: str, model: str) -> list[httpx.Response]:
    """The answers to the requests that read the bytes of a dataset."""
    return [
        http.get(f"/v1/datasets/{dataset}/rows"),
        http.post(f"/v1/models/{model}/predictions", json={"dataset_id": dataset}),
    ]


def assert_hides_details(answer: httpx.Response) -> None:
    assert not (found := INTERNAL.search(answer.text)), (found, answer.text)


def test_no_flipped_bit_of_a_blob_is_served_and_the_same_file_mends_it(own: Api) -> None:
    dataset = own.upload(TABLE)
    model = own.train(dataset_id=dataset, target="y", training={"epochs": 1, "engine": "numpy"})
    path, good = blob(own), blob(own).read_bytes()
    with own.http() as http, own.observed() as seen:
        for at in range(5, len(good), len(good) // 20):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            for answer in reads(http, dataset, model):
                assert (answer.status_code, answer.json()["code"]) == (500, "blob_damaged"), (at, answer.text)
                assert dataset in answer.json()["detail"]
                assert_hides_details(answer)
        path.unlink()
        for answer in reads(http, dataset, model):
            assert answer.json()["code"] == "blob_missing", answer.text
            assert dataset in answer.json()["detail"]
            assert_hides_details(answer)
        own.upload(TABLE)
        assert [answer.status_code for answer in reads(http, dataset, model)] == [200, 200]
    seen.check(seconds=20, mib=150)


def damage_pages(api: Api) -> None:
    """Overwrite every page of the database but the first, whose header names the format, and new pages never read.

    The API's connections keep pages that they have read: what it serves from them is undamaged.
    """
    path = api.settings.data_dir / "backpropd.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE filler AS SELECT randomblob(1000000)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_damaged_pages_of_the_database_are_reported_by_an_api_that_goes_on(tmp_path: Path) -> None:
    with (
        running_api(tmp_path, {"MODE": "local"}) as own,
        own.http() as http,
    ):  # where no key is needed to see the details
        paths = ["/v1/jobs", "/v1/datasets", f"/v1/datasets/{own.upload(TABLE)}", "/v1/models", "/v1/usage"]
        damage_pages(own)
        with own.observed() as seen:
            eventually(lambda: not http.get("/readyz").json()["database"]["ready"], 60)
            assert "damaged" in http.get("/readyz").json()["database"]["detail"]
            for answer in [*map(http.get, paths), http.post("/v1/datasets", json={"sample": "iris"})]:
                assert answer.status_code in (200, 201, 503), (answer.url, answer.text)
                assert_hides_details(answer)
            assert http.get("/healthz").status_code == 200
        seen.check(seconds=60, mib=150)


def test_whatever_lies_in_the_scratch_folder_stops_neither_uploads_nor_the_reaper(own: Api) -> None:
    scratch = own.settings.data_dir / "scratch"
    scratch.mkdir(exist_ok=True)
    for path in (scratch / "stray", scratch / "folder" / "file", scratch / "-rf", scratch / "two\nlines"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
    (scratch / "loop").symlink_to(scratch)
    (scratch / "nowhere").symlink_to(scratch / "is not there")
    os.mkfifo(scratch / "pipe")
    for path in scratch.rglob("*"):
        os.utime(path, (time.time() - WEEK, time.time() - WEEK), follow_symlinks=False)
    environment = {**os.environ, "BACKPROPD_DATA_DIR": str(own.settings.data_dir)}
    with own.observed() as seen:
        own.upload(TABLE)
        subprocess.run([sys.executable, "-m", "worker", "reap", "--once"], env=environment, check=True)
    seen.check(seconds=20, mib=150)
    assert list(scratch.iterdir()) == []
