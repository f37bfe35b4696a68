"""The limit of the API's memory."""

import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from backpropd import errors
from backpropd.config import Settings
from service.limits.memory_limit import MAX_JSON_BYTES, MemoryLimit, json_cost, proportional_bytes, resident_bytes
from tests.service.validation import Client

GIB = 1024**3


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a limit that the program itself exceeds."""
    return Settings(data_dir=tmp_path, api_memory_bytes=1024**2).with_defaults()


def test_requests_share_half_of_the_limit_and_a_tenant_half_of_that() -> None:
    memory = MemoryLimit(400 * GIB, lambda total: total // 2)
    with memory.reserve("us", 60 * GIB):
        with pytest.raises(errors.TooManyAtOnce, match="your requests in progress"), memory.reserve("us", 60 * GIB):
            pass
        with memory.reserve("us", 40 * GIB), memory.reserve("them", 90 * GIB):
            with pytest.raises(errors.Unavailable, match="in use"), memory.reserve("others", 20 * GIB):
                pass
            with memory.reserve("others", 10 * GIB):
                pass
    with memory.reserve("us", 100 * GIB):
        pass


def test_the_only_request_of_a_tenant_may_exceed_its_share() -> None:
    memory = MemoryLimit(400 * GIB, lambda total: total // 2)
    with memory.reserve("us", 150 * GIB), memory.reserve("them", 50 * GIB):
        pass


def test_nothing_is_reserved_that_the_process_has_no_room_for() -> None:
    memory = MemoryLimit(resident_bytes() + GIB, lambda total: total)
    with memory.reserve("us", GIB // 4):
        pass
    with (
        pytest.raises(errors.Unavailable, match="bytes of memory it may have"),
        memory.reserve("us", 2 * GIB),
    ):
        pass


def test_the_memory_of_a_process_that_shares_the_limit_counts() -> None:
    program = "held = b'1' * 2**28; print(flush=True); input()"
    with Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout
        other.stdout.readline()
        memory = MemoryLimit(proportional_bytes() + GIB // 4, lambda total: total)
        with memory.reserve("us", GIB // 8):
            pass
        memory.share_with(other.pid)
        with pytest.raises(errors.Unavailable), memory.reserve("us", GIB // 8):
            pass
        other.communicate("\n")


def test_the_cost_of_json_is_bounded_because_its_values_are() -> None:
    assert json_cost(20_000) < json_cost(100_000) < json_cost(30_000_000) == MAX_JSON_BYTES


def test_long_bodies_are_rejected_while_memory_is_short_and_short_ones_are_not(http: Client) -> None:
    long = {"sample": "xor", "name": "x" * 100_000}
    answer = http.post("/v1/jobs", json=long)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert http.post("/v1/datasets", json={"sample": "xor"}).status_code == 201
    assert http.get("/v1/limits").json["api_memory_bytes"] == 1024**2


def test_inspections_are_rejected_while_memory_is_short(http: Client) -> None:
    answer = http.get("/v1/models/model_1k86dw4hjn3dbakw4sq9qgi3p/weights")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
