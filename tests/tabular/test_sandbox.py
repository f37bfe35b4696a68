"""DatasetCache are read in a process of their own: its limits, its death, and the death of whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from backpropd.errors import NotATable, TableTooLarge, TooLarge
from backpropd.tabular import SandboxedReader, SandboxLimits, TableLimits, ingest
from backpropd.tabular.sandbox import client

MIB = 2**20
ROOMY = SandboxLimits(memory_bytes=256 * MIB, cpu_seconds=60, seconds=60)
PATIENCE = 20.0


def read(folder: Path, data: str, confinement: SandboxLimits = ROOMY, limits: TableLimits | None = None) -> object:
    (folder / "t.csv").write_text(data)
    return SandboxedReader(limits or TableLimits(), confinement, 2).read(folder / "t.csv", folder / "t.parquet", None)


def server() -> psutil.Process:
    assert client._server._process is not None
    return psutil.Process(client._server._process.pid)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive


def test_a_table_is_the_same_read_here_and_there(tmp_path: Path) -> None:
    text = "a,b,c\n1.5,x,yes\n,y,no\n2,,yes\n"
    info = read(tmp_path, text)
    there = (tmp_path / "t.parquet").read_bytes()
    assert info == ingest(tmp_path / "t.csv", tmp_path / "t.parquet")
    assert there == (tmp_path / "t.parquet").read_bytes()


def test_an_error_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(NotATable, match="line 3 has 1 cells"):
        read(tmp_path, "a,b\n1,2\n3\n")


# Seconds of work: the quote within a word makes it be looked at cell by cell.
SLOW = ",".join("abcdefghij") + "\n" + (",".join(['"0.125"'] * 10) + "\n") * 700_000 + '5" pipe' + ",1" * 9 + "\n"


@pytest.mark.parametrize(
    ("confinement", "message"),
    [
        (SandboxLimits(8 * MIB, 60, 60), "more than 8 MiB of memory"),
        (SandboxLimits(256 * MIB, 1, 60), "more than 1 s of computing"),
        (SandboxLimits(256 * MIB, 60, 1), "longer than 1 s"),
    ],
)
def test_a_child_that_takes_too_much_is_an_error_with_its_number(
    tmp_path: Path, confinement: SandboxLimits, message: str
) -> None:
    with pytest.raises(TooLarge, match=message):
        read(tmp_path, SLOW, confinement)
    assert read(tmp_path, "a\n1\n")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (TableLimits(rows=2), "more than 2 rows"),
        (TableLimits(columns=1), "has 2 columns, and 1 are the most"),
        (TableLimits(cells=5), "more than 5 cells"),
    ],
)
def test_a_table_beyond_a_limit_is_refused_with_the_number(tmp_path: Path, limits: TableLimits, message: str) -> None:
    with pytest.raises(TableTooLarge, match=message):
        read(tmp_path, "a,b\n1,2\n3,4\n5,6\n", limits=limits)


def test_a_category_with_more_levels_than_the_limit_is_text(tmp_path: Path) -> None:
    text = "a\n" + "".join(f"w{n}\n" for n in range(5))
    kinds = [read(tmp_path, text, limits=TableLimits(category_levels=most)).columns[0].kind for most in (4, 5)]  # type: ignore[attr-defined]
    assert kinds == ["text", "category"]


def wait_for_keepers(count: int) -> list[psutil.Process]:
    until = time.monotonic() + PATIENCE
    while len(keepers := server().children()) != count or not all(each.children() for each in keepers):
        assert time.monotonic() < until
    return keepers


def test_a_child_that_dies_is_an_error_of_the_file_and_the_next_is_read(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    wait_for_keepers(1)
    with ThreadPoolExecutor(1) as beside:
        failing = beside.submit(read, tmp_path, SLOW)
        for keeper in wait_for_keepers(2):  # the one that is at work, and the one that is ready
            for child in keeper.children():
                child.kill()
        with pytest.raises(TooLarge, match="256 MiB of memory, 60 s of computing or 60 s"):
            failing.result()
    assert read(tmp_path, "a\n1\n")


def test_a_server_that_died_is_started_anew(tmp_path: Path) -> None:
    read(tmp_path, "a\n1\n")
    server().kill()
    wait_until_gone([server()])
    assert read(tmp_path, "a\n1\n")


def test_many_tables_are_read_at_once(tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(12)]
    for n, folder in enumerate(folders):
        folder.mkdir()
        (folder / "t.csv").write_text("a\n" + "1\n" * (n + 1))
    shared = SandboxedReader(TableLimits(), ROOMY, 3)
    with ThreadPoolExecutor(12) as pool:
        infos = pool.map(lambda folder: shared.read(folder / "t.csv", folder / "t.parquet", None), folders)
        assert [info.rows for info in infos] == list(range(1, 13))


ASKS = """
import sys, threading
from pathlib import Path
from backpropd.tabular import SandboxLimits, SandboxedReader, TableLimits
folder = Path(sys.argv[1])
reader = SandboxedReader(TableLimits(), SandboxLimits(2**28, 60, 60), 2)
reader.read(folder / "small.csv", folder / "s.parquet", None)
print("ready", flush=True)
reader.read(folder / "wide.csv", folder / "w.parquet", None)
"""


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has a table read, and a long one after it."""
    (tmp_path / "small.csv").write_text("a\n1\n")
    (tmp_path / "wide.csv").write_text(SLOW)
    process = subprocess.Popen([sys.executable, "-c", ASKS, str(tmp_path)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_over_when_whoever_asks_dies(asking: subprocess.Popen[bytes], how: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(below := psutil.Process(asking.pid).children(recursive=True)) < 5:  # two keepers and their children
        assert time.monotonic() < until
    os.kill(asking.pid, how)
    wait_until_gone(below)


def test_a_child_sees_no_secret_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROPD_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("PGPASSWORD", "secret")
    client._server._stop()
    read(tmp_path, "a\n1\n")
    assert not [name for name in server().environ() if "PASSWORD" in name or name.startswith("BACKPROPD")]
