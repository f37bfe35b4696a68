"""The shared memory of a worker's parent and children, with real processes."""

import multiprocessing
import os
import signal
import time

from tests.worker.conftest import wait_until
from worker.heartbeat_board import HeartbeatBoard
from worker.process_identity import identity, machine, may_run


def sleep(board: HeartbeatBoard, slot: int, busy: bool) -> None:
    board.take_slot(slot)
    if busy:
        board.beat()
    time.sleep(600)


def child(board: HeartbeatBoard, slot: int, *, busy: bool = False) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=sleep, args=(board, slot, busy), daemon=True)
    process.start()
    wait_until(lambda: board.pids()[slot] == process.pid)
    return process


def test_the_parent_notices_that_a_child_died_even_if_another_has_its_slot() -> None:
    board = HeartbeatBoard(2)
    first, second = child(board, 0), child(board, 1)
    assert not board.child_died()
    first.kill()
    first.join()
    assert board.child_died()
    assert not board.child_died()
    first = child(board, 0)
    assert not board.child_died()
    second.kill()
    second.join()
    second = child(board, 1)
    assert board.child_died()
    for process in (first, second):
        process.kill()


def test_a_child_with_a_job_and_without_heartbeats_hangs_and_an_idle_one_does_not() -> None:
    board = HeartbeatBoard(2)
    busy, idle = child(board, 0, busy=True), child(board, 1)
    board.child_died()
    assert board.hung(60) == []
    wait_until(lambda: board.hung(0.2) == [busy.pid])
    for process in (busy, idle):
        process.kill()


def test_a_child_that_died_with_a_job_does_not_hang_since_its_pid_may_be_reused() -> None:
    board = HeartbeatBoard(1)
    busy = child(board, 0, busy=True)
    board.child_died()
    wait_until(lambda: board.hung(0.0) == [busy.pid])
    busy.kill()
    busy.join()
    assert board.child_died()
    assert board.hung(0.0) == []


def test_a_child_whose_parent_died_stops() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    parent = os.fork()
    if parent == 0:
        board = HeartbeatBoard(1)
        if os.fork() == 0:
            board.take_slot(0)
            writer.send(board.is_stopping())
            wait_until(board.is_stopping)
            writer.send(True)
        else:
            time.sleep(0.3)
        os._exit(0)
    assert not reader.recv()
    assert reader.recv()
    os.waitpid(parent, 0)


def test_the_stop_flag_reaches_every_child() -> None:
    board = HeartbeatBoard(1)
    reader, writer = multiprocessing.Pipe(duplex=False)

    def report() -> None:
        wait_until(board.is_stopping)
        writer.send(True)

    process = multiprocessing.get_context("fork").Process(target=report, daemon=True)
    process.start()
    board.stop()
    assert reader.recv()


def test_a_process_of_this_machine_may_run_until_it_ends_and_one_of_another_machine_always() -> None:
    assert may_run(identity(1))
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    wait_until(lambda: not may_run(f"{machine()}/1/{pid}"))  # although it is still a zombie
    os.waitpid(pid, 0)
    assert not may_run(f"{machine()}/1/{pid}")
    assert may_run(f"another/1/{pid}")
