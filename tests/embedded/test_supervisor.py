"""The supervisor with small real programs: order, prefixes, restarts, signals, and no processes left."""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.running import Running, eventually, read_lines, running, still_running

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
SERVE = "ready()\ntime.sleep(600)"
IGNORES_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
SLOW_TO_STOP = (
    """
def slowly(number, frame):
    time.sleep(0.3)
    stop(number, frame)
signal.signal(signal.SIGTERM, slowly)
"""
    + SERVE
)
# A child in the same session that outlives its parent unless the group is killed, and records a SIGTERM.
WITH_CHILD = """
if os.fork() == 0:
    record("pids", os.getpid())
    signal.signal(signal.SIGTERM, lambda *_: record("events", "child got SIGTERM"))
    (folder / "child.ready").touch()
    while True: time.sleep(600)
while not (folder / "child.ready").exists(): time.sleep(0.01)
"""


def program(name: str, code: str = SERVE, **settings: Any) -> dict[str, Any]:
    return {"name": name, "code": code, **settings}


@contextmanager
def supervising(folder: Path, *programs: dict[str, Any], until: str = "all ready") -> Iterator[Running]:
    (folder / "programs.json").write_text(json.dumps(programs))
    with running([sys.executable, "-m", "tests.embedded.small_stack", str(folder)], ROOT) as stack:
        stack.wait_for(until)
        yield stack


def test_each_program_starts_when_the_one_before_is_ready_and_they_stop_in_reverse_order(tmp_path: Path) -> None:
    slow = "time.sleep(0.3)\n" + SERVE
    with supervising(tmp_path, program("a", slow), program("b", slow), program("c", slow)) as stack:
        assert stack.stop() == 0
    started = ["a started", "a ready", "b started", "b ready", "c started", "c ready"]
    assert read_lines(tmp_path, "events") == [*started, "c stopped", "b stopped", "a stopped"]


def test_a_parallel_program_does_not_wait_for_the_one_before_and_the_next_waits_for_both(tmp_path: Path) -> None:
    waits = "while not (folder / 'b.ready').exists(): time.sleep(0.01)\n" + SERVE
    with supervising(tmp_path, program("a", waits), program("b", parallel=True), program("c")) as stack:
        assert stack.stop() == 0
    events = read_lines(tmp_path, "events")
    assert set(events[:4]) == {"a started", "b started", "b ready", "a ready"}
    assert events[4:] == ["c started", "c ready", "c stopped", "b stopped", "a stopped"]


def test_a_program_is_stopped_only_when_the_one_after_it_has_ended(tmp_path: Path) -> None:
    with supervising(tmp_path, program("broker"), program("worker", SLOW_TO_STOP)) as stack:
        stack.stop()
    assert read_lines(tmp_path, "events")[-2:] == ["worker stopped", "broker stopped"]


def test_a_program_without_a_readiness_check_ends_before_the_next_one_starts(tmp_path: Path) -> None:
    migrate = program("migrate", "time.sleep(0.3)\nrecord('events', 'migrate done')", once=True)
    with supervising(tmp_path, migrate, program("api")) as stack:
        stack.stop()
    assert read_lines(tmp_path, "events")[:3] == ["migrate started", "migrate done", "api started"]


def test_a_program_that_has_to_succeed_and_fails_ends_the_stack_before_the_next_one_starts(tmp_path: Path) -> None:
    migrate = program("migrate", "print('no such table')\nsys.exit(3)", once=True)
    with supervising(tmp_path, migrate, program("api"), until="migrate exited with status 3") as stack:
        assert stack.end() == 1
    assert read_lines(tmp_path, "events") == ["migrate started"]
    assert "    no such table" in stack.lines


def test_each_line_has_the_name_of_its_program_and_no_colour_in_a_pipe(tmp_path: Path) -> None:
    talk = "print('one\\ntwo', flush=True)\nprint('three', file=sys.stderr, flush=True)\n" + SERVE
    with supervising(
        tmp_path, program("api", talk), program("reaper", "sys.stdout.write('no newline')\n" + SERVE)
    ) as stack:
        stack.stop()
    assert stack.lines == [
        "api    | one",
        "api    | two",
        "api    | three",
        "all ready",
        "stack  | stopping; a second signal stops at once",
        "reaper | no newline",
    ]


def test_a_program_that_exits_is_restarted(tmp_path: Path) -> None:
    fails_once = (
        "if not (folder / 'failed').exists():\n    (folder / 'failed').touch()\n    ready(); sys.exit(7)\n" + SERVE
    )
    with supervising(tmp_path, program("api", fails_once), program("worker")) as stack:
        eventually(lambda: read_lines(tmp_path, "events").count("api started") == 2)
        assert "restarting in" in stack.wait_for("api exited with status 7")
        assert stack.stop() == 0
    assert read_lines(tmp_path, "events").count("worker started") == 1


def test_a_program_that_runs_long_enough_is_restarted_however_often_it_is_killed(tmp_path: Path) -> None:
    with supervising(
        tmp_path, program("api", "ready()\ntime.sleep(0.6)\nos.kill(os.getpid(), signal.SIGKILL)")
    ) as stack:
        eventually(lambda: read_lines(tmp_path, "events").count("api started") == 5)
        assert stack.stop() == 0


def test_a_program_that_keeps_failing_ends_the_stack_with_its_name_its_status_and_its_last_lines(
    tmp_path: Path,
) -> None:
    fails = "ready()\nprint('no route to host')\nsys.exit(9)"
    with supervising(tmp_path, program("redis"), program("api", fails), until="failed 3 times") as stack:
        assert stack.end() == 1
    message = "api failed 3 times in a row and last exited with status 9. Its last lines:"
    assert stack.lines[stack.lines.index(message) + 1] == "    no route to host"
    assert stack.lines[-1] == "(advice about api)"
    assert read_lines(tmp_path, "events")[-1] == "redis stopped"
    assert still_running(tmp_path) == []


def test_a_program_that_never_becomes_ready_ends_the_stack(tmp_path: Path) -> None:
    never = program("api", "time.sleep(600)", ready_timeout=0.3)
    with supervising(tmp_path, program("redis"), never, until="api was not ready within 0.3 s") as stack:
        assert stack.end() == 1
    assert still_running(tmp_path) == []


def test_the_children_of_a_killed_program_are_killed_before_it_is_restarted(tmp_path: Path) -> None:
    with supervising(tmp_path, program("worker", WITH_CHILD + SERVE)) as stack:
        main, child = map(int, read_lines(tmp_path, "pids"))
        os.kill(main, signal.SIGKILL)
        assert "was killed by SIGKILL" in stack.wait_for("restarting")
        eventually(lambda: child not in still_running(tmp_path))
        stack.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_processes(tmp_path: Path, number: signal.Signals) -> None:
    with supervising(tmp_path, program("redis"), program("worker", WITH_CHILD + SERVE)) as stack:
        assert len(still_running(tmp_path)) == 3
        stack.send(number)
        assert stack.end() == 0
    assert still_running(tmp_path) == []


def test_a_signal_before_a_program_is_ready_stops_all_processes(tmp_path: Path) -> None:
    waiting = "print('loading', flush=True)\ntime.sleep(600)"
    with supervising(tmp_path, program("redis"), program("api", waiting), until="loading") as stack:
        assert stack.stop() == 0
    assert read_lines(tmp_path, "events")[-2:] == ["api stopped", "redis stopped"]


def test_sigterm_is_sent_to_the_main_process_only(tmp_path: Path) -> None:
    with supervising(tmp_path, program("worker", WITH_CHILD + SLOW_TO_STOP)) as stack:
        stack.stop()
    assert read_lines(tmp_path, "events")[-1] == "worker stopped"
    assert "child got SIGTERM" not in read_lines(tmp_path, "events")
    assert still_running(tmp_path) == []


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace_time(tmp_path: Path) -> None:
    with supervising(tmp_path, program("redis"), program("worker", IGNORES_SIGTERM, grace=0.3)) as stack:
        assert stack.stop() == 0
    assert read_lines(tmp_path, "events")[-1] == "redis stopped"
    assert still_running(tmp_path) == []


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with supervising(tmp_path, program("redis"), program("worker", IGNORES_SIGTERM, grace=600)) as stack:
        stack.send(signal.SIGINT)
        stack.wait_for("stopping")
        time.sleep(0.6)
        stack.send(signal.SIGINT)
        assert stack.end() == 0
    assert still_running(tmp_path) == []


def test_a_signal_that_arrives_twice_at_once_is_one_request(tmp_path: Path) -> None:
    with supervising(tmp_path, program("worker", SLOW_TO_STOP)) as stack:
        stack.send(signal.SIGTERM)
        stack.wait_for("stopping")
        stack.send(signal.SIGTERM)
        assert stack.end() == 0
    assert read_lines(tmp_path, "events")[-1] == "worker stopped"


def test_a_killed_supervisor_leaves_no_process_and_its_programs_stop_in_reverse_order(tmp_path: Path) -> None:
    reaper = program("reaper", IGNORES_SIGTERM, grace=0.3)
    with supervising(tmp_path, program("redis"), program("worker", WITH_CHILD + SLOW_TO_STOP), reaper) as stack:
        stack.send(signal.SIGKILL)
        stack.process.wait()
        eventually(lambda: still_running(tmp_path) == [])
    assert read_lines(tmp_path, "events")[-2:] == ["worker stopped", "redis stopped"]


def test_the_data_folder_stays_locked_until_the_programs_of_a_killed_supervisor_have_ended(tmp_path: Path) -> None:
    with supervising(tmp_path, program("redis", SLOW_TO_STOP)) as stack, open(tmp_path / "stack.lock") as lock:
        stack.send(signal.SIGKILL)
        stack.process.wait()
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert still_running(tmp_path) == []


def test_the_stack_continues_when_its_output_is_closed(tmp_path: Path) -> None:
    chatter = "ready()\nfor _ in range(100000):\n    print('still here', flush=True)\n    time.sleep(0.01)"
    (tmp_path / "programs.json").write_text(json.dumps([program("api", chatter)]))
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "tests.embedded.small_stack", str(tmp_path)]
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    eventually(lambda: "api ready" in read_lines(tmp_path, "events"))
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0
    assert read_lines(tmp_path, "events")[-1] == "api stopped"


def test_the_others_go_on_without_a_program_that_is_not_required(tmp_path: Path) -> None:
    fails = program("extra", 'ready()\nrecord("events", "extra fails")\nsys.exit(9)', required=False, parallel=True)
    with supervising(tmp_path, program("api"), fails) as stack:
        eventually(lambda: read_lines(tmp_path, "events").count("extra fails") > 4)  # the policy allows 3
        assert "api stopped" not in read_lines(tmp_path, "events")
        assert stack.stop() == 0


def test_a_program_that_refuses_to_run_says_why_in_one_sentence(tmp_path: Path) -> None:
    refuses = program(
        "migrate", 'print("a warning", flush=True)\nsys.exit("schema_too_new: use the newer version")', once=True
    )
    with supervising(tmp_path, refuses, until="use the newer version") as stack:
        assert stack.end() == 1
    assert stack.lines[-1] == "use the newer version"
