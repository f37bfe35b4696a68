"""The sandbox: its limits, and what happens when one of its processes dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest

from backpropd.errors import NotATable, TableTooLarge, TooLarge
from backpropd.tabular import IngestedTable, ReadOptions, SandboxedReader, SandboxLimits, TableLimits, ingest
from backpropd.tabular.sandbox import client

MIB = 2**20
ROOMY = SandboxLimits(memory_bytes=256 * MIB, cpu_seconds=60, seconds=60)
PATIENCE = 20.0


def read(
    folder: Path, data: str, sandbox_limits: SandboxLimits = ROOMY, limits: TableLimits | None = None
) -> IngestedTable:
    (folder / "t.csv").write_text(data)
    reader = SandboxedReader(limits or TableLimits(), sandbox_limits)
    return reader.read(folder / "t.csv", folder / "t.parquet", "csv")


def server() -> psutil.Process:
    assert client._server._process is not None
    return psutil.Process(client._server._process.pid)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive


def test_a_table_is_the_same_inside_and_outside_the_sandbox(tmp_path: Path) -> None:
    text = "a,b,c\n1.5,x,yes\n,y,no\n2,,yes\n"
    info = read(tmp_path, text)
    sandboxed = (tmp_path / "t.parquet").read_bytes()
    assert info == ingest(tmp_path / "t.csv", tmp_path / "t.parquet")
    assert sandboxed == (tmp_path / "t.parquet").read_bytes()


def test_an_error_of_the_parser_is_raised_in_the_client(tmp_path: Path) -> None:
    with pytest.raises(NotATable, match="line 3 contains a NUL byte"):
        read(tmp_path, "a,b\n1,2\n\0\n")


def test_an_error_that_no_reader_foresaw_is_one_of_the_file_and_logged_without_its_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    reader, unforeseen = SandboxedReader(TableLimits(), ROOMY), ReadOptions(quote="two")
    with pytest.raises(NotATable, match=r"could not be read, .*as CSV in UTF-8") as caught:
        reader.read(tmp_path / "t.csv", tmp_path / "t.parquet", "csv", unforeseen)
    assert "TypeError" not in str(caught.value)
    assert "TypeError" in caplog.text
    assert "in ingest" in caplog.text
    assert "1-character" not in caplog.text


def test_an_error_of_the_system_is_not_one_of_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RuntimeError, match="the log has the place"):
        SandboxedReader(TableLimits(), ROOMY).read(tmp_path / "t.csv", tmp_path / "no" / "folder", "csv")
    assert "FileNotFoundError" in caplog.text


# Takes seconds: because of the single quote the file is read row by row.
SLOW = ",".join("abcdefghij") + "\n" + (",".join(['"0.125"'] * 10) + "\n") * 700_000 + '5" pipe' + ",1" * 9 + "\n"


@pytest.mark.parametrize(
    ("sandbox_limits", "message"),
    [
        (SandboxLimits(8 * MIB, 60, 60), "more than 8 MiB of memory"),
        (SandboxLimits(256 * MIB, 1, 60), "more than 1 s of CPU time"),
        (SandboxLimits(256 * MIB, 60, 1), "more than 1 s, the limit"),
    ],
)
def test_a_parser_that_exceeds_a_limit_is_an_error_with_the_number(
    tmp_path: Path, sandbox_limits: SandboxLimits, message: str
) -> None:
    with pytest.raises(TooLarge, match=message):
        read(tmp_path, SLOW, sandbox_limits)
    assert read(tmp_path, "a\n1\n")


TEXTS = "a,b\n" + "".join(f"{n * n:020},{n:040}x\n" for n in range(30_000))


def is_accepted(folder: Path, memory_bytes: int) -> bool:
    """Whether the table of texts can be read with so much memory."""
    try:
        return bool(read(folder, TEXTS, SandboxLimits(memory_bytes, 60, 60)))
    except TooLarge as error:
        return "MiB of memory, the limit" not in str(error)


@contextmanager
def busy_machine() -> Iterator[None]:
    """Processes that compute during the block, more than there are cores."""
    command = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(1 + (os.cpu_count() or 1)):
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
        yield


def test_a_file_near_the_limit_of_memory_has_the_same_answer_every_time(tmp_path: Path) -> None:
    refused, accepted = 4 * MIB, 64 * MIB
    while accepted - refused > MIB:
        middle = (refused + accepted) // 2
        refused, accepted = (refused, middle) if is_accepted(tmp_path, middle) else (middle, accepted)
    tolerance = 2 * MIB  # what Python has of its own when the server has started: an arena more or less, and a half
    answers: dict[int, list[bool]] = {refused - tolerance: [], accepted + tolerance: []}
    for machine in (nullcontext, busy_machine):
        client._server._stop()
        with machine():
            for memory_bytes, found in answers.items():
                found += [is_accepted(tmp_path, memory_bytes) for _ in range(5)]
    assert answers == {refused - tolerance: [False] * 10, accepted + tolerance: [True] * 10}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (TableLimits(rows=2), "more than 2 rows"),
        (TableLimits(columns=1), "has 2 columns; the maximum is 1"),
        (TableLimits(cells=5), "more than 5 cells"),
    ],
)
def test_a_table_beyond_a_limit_is_rejected_with_the_number(tmp_path: Path, limits: TableLimits, message: str) -> None:
    with pytest.raises(TableTooLarge, match=message):
        read(tmp_path, "a,b\n1,2\n3,4\n5,6\n", limits=limits)


def test_a_category_with_more_levels_than_the_limit_is_text(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"w{n},1\n" for n in range(5))
    kinds = [read(tmp_path, text, limits=TableLimits(category_levels=limit)).columns[0].kind for limit in (4, 5)]  # type: ignore[attr-defined]
    assert kinds == ["text", "category"]


def wait_for_supervisors(count: int) -> list[psutil.Process]:
    until = time.monotonic() + PATIENCE
    while len(supervisors := server().children()) != count or not all(each.children() for each in supervisors):
        assert time.monotonic() < until
    return supervisors


def test_a_parser_that_dies_is_an_error_and_the_next_file_is_read(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    wait_for_supervisors(1)
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(read, tmp_path, SLOW)
        for supervisor in wait_for_supervisors(2):  # one is working and one is ready
            for parser in supervisor.children():
                parser.kill()
        with pytest.raises(TooLarge, match="256 MiB of memory, 60 s of CPU time or 60 s"):
            failing.result()
    assert read(tmp_path, "a\n1\n")


def test_a_parser_ends_when_its_client_leaves_and_before_the_connection_closes(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    wait_for_supervisors(1)
    connections: list[socket.socket] = []

    def connect() -> socket.socket:
        connections.append(client.connect_to_sandbox())
        return connections[0]

    (tmp_path / "t.csv").write_text(SLOW)
    reader = SandboxedReader(TableLimits(), ROOMY)
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(reader.read, tmp_path / "t.csv", tmp_path / "t.parquet", "csv", connect=connect)
        working = wait_for_supervisors(2)[0]
        parsers = working.children()
        connections[0].shutdown(socket.SHUT_WR)
        with pytest.raises(TooLarge):
            leaving.result()
    assert len(parsers) == 1
    assert not parsers[0].is_running()


def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    server().kill()
    wait_until_gone([server()])
    assert read(tmp_path, "a\n1\n")


def test_many_threads_share_a_reader(tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(12)]
    for n, folder in enumerate(folders):
        folder.mkdir()
        (folder / "t.csv").write_text("a\n" + "1\n" * (n + 1))
    reader = SandboxedReader(TableLimits(), ROOMY)
    with ThreadPoolExecutor(12) as pool:
        infos = pool.map(lambda folder: reader.read(folder / "t.csv", folder / "t.parquet", "csv"), folders)
        assert [info.rows for info in infos] == list(range(1, 13))


CLIENT = """
import sys, threading
from pathlib import Path
from backpropd.tabular import SandboxLimits, SandboxedReader, TableLimits
folder = Path(sys.argv[1])
reader = SandboxedReader(TableLimits(), SandboxLimits(2**28, 60, 60))
reader.read(folder / "small.csv", folder / "s.parquet", "csv")
print("ready", flush=True)
reader.read(folder / "wide.csv", folder / "w.parquet", "csv")
"""


@pytest.fixture
def client_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads a small table and then a slow one."""
    (tmp_path / "small.csv").write_text("a\n1\n")
    (tmp_path / "wide.csv").write_text(SLOW)
    process = subprocess.Popen([sys.executable, "-c", CLIENT, str(tmp_path)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_survives_its_client(client_process: subprocess.Popen[bytes], signal_number: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(below := psutil.Process(client_process.pid).children(recursive=True)) < 5:  # a server, two of the others
        assert time.monotonic() < until
    os.kill(client_process.pid, signal_number)
    wait_until_gone(below)


def test_no_secret_of_the_service_reaches_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROPD_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("PGPASSWORD", "secret")
    client._server._stop()
    read(tmp_path, "a\n1\n")
    assert not [name for name in server().environ() if "PASSWORD" in name or name.startswith("BACKPROPD")]


def test_the_widest_table_is_read_however_few_rows_it_has(tmp_path: Path) -> None:
    """Arrow takes the bytes of a block for each column: gaps between what is left of them are no memory in use."""
    names, cells = ([f"{letter}{n}" for n in range(20_000)] for letter in "c1")
    text = "\n".join(",".join(each) for each in (names, cells, cells))
    assert read(tmp_path, text, SandboxLimits(2**30, 300, 300)).rows == 2
