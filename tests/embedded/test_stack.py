"""`python -m embedded` with a real Redis and fake programs `service` and `worker`."""

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded.address import Address
from embedded.stack import _programs
from tests.embedded.fake_programs import write
from tests.embedded.running import Running, eventually, read_lines, running, still_running

pytestmark = pytest.mark.acceptance

READY = "backpropd is ready at "


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("programs"))


@contextmanager
def stack(programs: Path, data: Path, until: str = READY, **environment: str) -> Iterator[Running]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BACKPROPD_")}
    settings = {"BACKPROPD_DATA_DIR": str(data), "BACKPROPD_PORT": "0", **environment}
    with running([sys.executable, "-m", "embedded"], programs, inherited | settings) as process:
        process.wait_for(until)
        yield process


def test_programs_start_in_order_and_stop_in_reverse_order_with_redis_last(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path) as process:
        eventually(lambda: any("reaper started" in event for event in read_lines(tmp_path, "events")))
        assert process.stop() == 0
    events = read_lines(tmp_path, "events")
    assert events[0] == "migrate started"
    assert sorted(events[1:4]) == [f"{name} started, with Redis there" for name in ("reaper", "service", "worker")]
    assert events[4:] == [f"{name} stopped, with Redis there" for name in ("reaper", "worker", "service")]
    assert still_running(tmp_path) == []
    assert not (tmp_path / "redis" / "redis.sock").exists()


def test_a_ready_stack_prints_its_address_and_writes_it_to_a_file(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path) as process:
        address = json.loads((tmp_path / "stack.json").read_text())
        assert address["pid"] == process.process.pid
        line = process.wait_for(READY)
        assert line == f"backpropd is ready at {address['url']} (data in {tmp_path}; Ctrl-C stops it)"
        process.stop()
    assert not (tmp_path / "stack.json").exists()


def test_a_port_in_use_is_reported_before_anything_starts_with_how_to_choose_another(
    programs: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with stack(programs, tmp_path, until="is in use", BACKPROPD_PORT=str(port)) as process:
            assert process.end() == 1
    assert f"BACKPROPD_PORT={port + 1} make run" in process.output
    assert read_lines(tmp_path, "events") == []


def test_two_stacks_run_at_the_same_time_in_two_data_folders(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path / "one") as one, stack(programs, tmp_path / "two") as two:
        assert one.wait_for(READY).split()[4] != two.wait_for(READY).split()[4]
        assert two.stop() == 0
        assert one.stop() == 0


def test_a_second_stack_in_the_same_data_folder_is_rejected_and_the_first_continues(
    programs: Path, tmp_path: Path
) -> None:
    with stack(programs, tmp_path) as first:
        with stack(programs, tmp_path, until="Another stack") as second:
            assert second.end() == 1
        assert f"(process {first.process.pid}) runs in {tmp_path}" in second.output
        assert "BACKPROPD_DATA_DIR=" in second.output
        assert (tmp_path / "stack.json").exists()
        assert first.stop() == 0


def test_with_a_broker_url_no_redis_is_started(programs: Path, tmp_path: Path) -> None:
    url = "redis://broker.example:6379/0"
    with stack(programs, tmp_path, BACKPROPD_BROKER_URL=url) as process:
        assert process.wait_for("broker").endswith(url)
        process.stop()
    assert not (tmp_path / "redis").exists()


def test_a_failed_migration_ends_the_stack_before_redis_or_the_api_start(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path, until="migrate exited with status 1", FAILING_PROGRAM="migrate") as process:
        assert process.end() == 1
    assert "    migrate fails on request" in process.lines
    assert read_lines(tmp_path, "events") == []
    assert not list(tmp_path.glob("redis/*"))


def test_an_invalid_setting_is_named(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path, until="BACKPROPD_PORT: ", BACKPROPD_PORT="eighty") as process:
        assert process.end() == 1
    assert "Traceback" not in process.output


def test_a_data_folder_that_cannot_be_created_is_named(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with stack(programs, tmp_path / "file" / "data", until="cannot be used") as process:
        assert process.end() == 1
    assert "BACKPROPD_DATA_DIR=" in process.output


def test_a_data_folder_with_a_long_name_and_special_characters_works(programs: Path, tmp_path: Path) -> None:
    data = tmp_path / ("so long " * 12 + "ä#?%")
    with stack(programs, data) as process:
        assert "redis.sock" in process.wait_for("broker")
        assert process.stop() == 0
    assert list(data.glob("redis/appendonlydir/*.aof"))


@pytest.mark.parametrize("existing", ["none", "empty", "a stack's"])
def test_the_data_folder_is_for_its_user_alone(programs: Path, tmp_path: Path, existing: str) -> None:
    data = tmp_path / "data"
    if existing != "none":
        data.mkdir(mode=0o755)
    if existing == "a stack's":
        (data / "stack.lock").touch()
    with stack(programs, data) as process:
        assert data.stat().st_mode & 0o777 == 0o700
        process.stop()


def test_a_folder_with_other_files_keeps_its_mode(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)
    with stack(programs, tmp_path) as process:
        assert tmp_path.stat().st_mode & 0o777 == 0o755
        process.stop()


def test_a_damaged_append_only_file_is_reported_with_what_to_do(programs: Path, tmp_path: Path) -> None:
    with stack(programs, tmp_path) as process:
        process.stop()
    (log,) = tmp_path.glob("redis/appendonlydir/*.incr.aof")
    log.write_bytes(b"this is no append-only file\n" * 10)
    with stack(programs, tmp_path, until="append-only file is damaged") as process:
        assert process.end() == 1
    assert f"move {tmp_path}/redis away" in process.output
    shutil.move(tmp_path / "redis", tmp_path / "moved")
    with stack(programs, tmp_path) as process:
        assert process.stop() == 0


def test_a_stack_starts_in_the_folder_of_a_killed_one_when_its_programs_have_ended(
    programs: Path, tmp_path: Path
) -> None:
    with stack(programs, tmp_path) as process:
        process.send(signal.SIGKILL)
        process.process.wait()
    with stack(programs, tmp_path) as process:
        assert process.stop() == 0


def test_the_stack_goes_on_without_its_reaper_and_no_other_program() -> None:
    programs = _programs(Address("127.0.0.1", 8000))
    assert [program.name for program in programs if not program.required] == ["reaper"]
