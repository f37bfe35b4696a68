"""Datasets: streamed up, listed page after page."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from backpropd.client import Client
from backpropd.errors import ServiceError
from tests.client.stand_in import StandIn, problem


def test_a_file_arrives_byte_for_byte_under_its_own_name(stand_in: StandIn, service: Client, tmp_path: Path) -> None:
    file = tmp_path / "iris flowers.csv"
    file.write_bytes(b"a,b\n1,2\n" * 300_000)
    assert service.datasets.upload(file)["name"] == "iris flowers"
    assert stand_in.uploads == [(file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())]
    assert stand_in.headers("/v1/datasets", "Content-Type") == ["text/csv"]
    assert stand_in.headers("/v1/datasets", "Content-Length") == [str(file.stat().st_size)]


def test_a_tsv_file_says_so(stand_in: StandIn, service: Client, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2\n")
    service.datasets.upload(tmp_path / "a.tsv", "mine")
    assert stand_in.headers("/v1/datasets", "Content-Type") == ["text/tab-separated-values"]


def test_a_large_file_is_never_whole_in_memory(service: Client, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as writing:
        writing.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    service.datasets.upload(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_an_upload_starts_anew_when_the_service_was_away(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/datasets", problem(503, "unavailable", "away", {"Retry-After": "0"}))]
    file = io.BytesIO(b"skipped" + b"a,b\n1,2\n")
    file.seek(7)
    heard: list[int] = []
    service.datasets.upload(file, "mine", on_bytes=heard.append)
    assert stand_in.uploads == [(8, hashlib.sha256(b"a,b\n1,2\n").hexdigest())]
    first, second = stand_in.headers("/v1/datasets", "Idempotency-Key")
    assert first == second
    assert first
    assert heard[-1] == 8


def test_what_cannot_be_rewound_is_sent_once(stand_in: StandIn, service: Client) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    service.datasets.upload(Pipe(b"a,b\n1,2\n"), "mine")
    assert stand_in.uploads[0][0] == 8
    assert stand_in.headers("/v1/datasets", "Idempotency-Key") == [None]


def test_a_list_goes_on_over_its_pages(stand_in: StandIn, service: Client) -> None:
    stand_in.names = ["three", "two", "one"]
    assert [each["name"] for each in service.datasets.list()] == ["three", "two", "one"]
    assert len(stand_in.asked) == 3


def test_a_sample_carries_its_parameters_and_fields_of_the_future_stay(stand_in: StandIn, service: Client) -> None:
    assert dict(service.datasets.sample("xor", noise=0.1))["from_the_future"]
    assert stand_in.bodies == [{"sample": "xor", "noise": 0.1}]


@pytest.mark.parametrize("dataset_id", ["../models", "ds_1?limit=1", "ds_1#x", "ä"])
def test_an_id_is_one_step_of_the_path_whatever_is_in_it(stand_in: StandIn, service: Client, dataset_id: str) -> None:
    with suppress(ServiceError):
        service.datasets.get(dataset_id)
    assert stand_in.paths() == [f"/v1/datasets/{dataset_id}"]
