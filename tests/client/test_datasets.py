"""Datasets: streamed uploads, lists of several pages."""

import hashlib
import io
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from backpropd.client import Client, ServiceError
from backpropd.client.media_types import MEDIA_TYPES
from backpropd.tabular.formats import COMPRESSED_MEDIA_TYPES, FORMAT_OF_MEDIA_TYPE, FORMATS
from tests.client.stand_in import StandIn, problem


def test_a_file_is_uploaded_byte_for_byte_under_its_own_name(
    stand_in: StandIn, service: Client, tmp_path: Path
) -> None:
    file = tmp_path / "iris flowers.csv"
    file.write_bytes(b"a,b\n1,2\n" * 300_000)
    assert service.datasets.upload(file)["name"] == "iris flowers"
    assert stand_in.uploads == [(file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())]
    assert stand_in.headers("/v1/datasets", "Content-Type") == ["text/csv"]
    assert stand_in.headers("/v1/datasets", "Content-Length") == [str(file.stat().st_size)]


def test_a_file_of_every_format_is_sent_with_its_media_type(stand_in: StandIn, service: Client, tmp_path: Path) -> None:
    extensions = [".csv", ".txt", *MEDIA_TYPES]
    for extension in extensions:
        (tmp_path / f"a{extension}").write_bytes(b"content")
        service.datasets.upload(tmp_path / f"a{extension}", "mine")
    sent = stand_in.headers("/v1/datasets", "Content-Type")
    assert sent == ["text/csv", "text/csv", *MEDIA_TYPES.values()]
    assert {FORMAT_OF_MEDIA_TYPE[each] for each in sent if each not in COMPRESSED_MEDIA_TYPES} == FORMATS.keys()


def test_a_large_file_is_never_entirely_in_memory(service: Client, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as writing:
        writing.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    service.datasets.upload(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_an_upload_is_repeated_from_its_start_when_the_service_is_unavailable(
    stand_in: StandIn, service: Client
) -> None:
    stand_in.faults = [("/datasets", problem(503, "unavailable", "starting", {"Retry-After": "0"}))]
    file = io.BytesIO(b"skipped" + b"a,b\n1,2\n")
    file.seek(7)
    sent: list[int] = []
    service.datasets.upload(file, "mine", on_bytes=sent.append)
    assert stand_in.uploads == [(8, hashlib.sha256(b"a,b\n1,2\n").hexdigest())]
    first, second = stand_in.headers("/v1/datasets", "Idempotency-Key")
    assert first == second
    assert first
    assert sent[-1] == 8


def test_a_file_that_is_not_seekable_is_sent_once(stand_in: StandIn, service: Client) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    service.datasets.upload(Pipe(b"a,b\n1,2\n"), "mine")
    assert stand_in.uploads[0][0] == 8
    assert stand_in.headers("/v1/datasets", "Idempotency-Key") == [None]


def test_a_list_contains_all_pages(stand_in: StandIn, service: Client) -> None:
    stand_in.dataset_names = ["three", "two", "one"]
    assert [each["name"] for each in service.datasets.list()] == ["three", "two", "one"]
    assert len(stand_in.requests) == 3


def test_a_sample_is_sent_with_its_parameters_and_unknown_fields_are_returned(
    stand_in: StandIn, service: Client
) -> None:
    assert dict(service.datasets.sample("xor", noise=0.1))["from_the_future"]
    assert stand_in.bodies == [{"sample": "xor", "noise": 0.1}]


@pytest.mark.parametrize("dataset_id", ["../models", "ds_1?limit=1", "ds_1#x", "ä"])
def test_an_id_is_one_segment_of_the_path_whatever_characters_it_contains(
    stand_in: StandIn, service: Client, dataset_id: str
) -> None:
    with suppress(ServiceError):
        service.datasets.get(dataset_id)
    assert stand_in.paths() == [f"/v1/datasets/{dataset_id}"]
