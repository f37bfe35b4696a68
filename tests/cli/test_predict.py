"""`backpropd predict`: a table in, predictions out, both streamed as they are."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn, problem

TABLE = b"height;kind\n1,5;a\n3;b\n"
PREDICTED = "height,label\n1,fern\n1,fern\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_bytes(TABLE)
    return file


def test_a_file_is_sent_as_it_is_and_the_answer_is_written_as_it_comes(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path
) -> None:
    run("predict", "model_1", table, "-o", tmp_path / "out.csv")
    assert stand_in.bodies == [TABLE.decode()]
    assert (tmp_path / "out.csv").read_text() == PREDICTED


def test_the_columns_of_the_input_are_kept_unless_others_are_named(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path
) -> None:
    for options in ((), ("--keep", 'id,"a,b"')):
        run("predict", "model_1", table, "-o", tmp_path / "out.csv", *options)
    assert stand_in.queries == [{"keep": "*"}, {"keep": 'id,"a,b"'}]


def test_options_correct_how_the_table_is_read(stand_in: StandIn, run: Run, table: Path) -> None:
    options = ("--delimiter", ";", "--decimal", ",", "--no-header", "--missing", "?", "--kinds", "zip=category")
    assert run("predict", "model_1", table, *options, "--keep", "id").code == 0
    (query,) = stand_in.queries
    assert query == {
        "delimiter": ";", "decimal": ",", "header": "false", "missing": '["?"]', "kinds": '{"zip": "category"}',
        "keep": "id",
    }  # fmt: skip


def test_names_to_keep_that_are_no_csv_are_refused(stand_in: StandIn, run: Run, table: Path) -> None:
    done = run("predict", "model_1", table, "--keep", "a\nb")
    assert (done.code, "double quotes" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("output", "accept"),
    [
        ("out.csv", "text/csv"),
        ("out.txt", "text/csv"),
        ("out.JSONL", "application/jsonl"),
        ("out.parquet", "application/vnd.apache.parquet"),
        ("out.pq", "application/vnd.apache.parquet"),
        ("out.ipc", "application/vnd.apache.arrow.file"),
        ("out.tsv", "text/tab-separated-values"),  # which the service refuses: no predictions come as TSV
        ("out.arrow", "application/vnd.apache.arrow.file"),
    ],
)
def test_the_outputs_extension_decides_its_format(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path, output: str, accept: str
) -> None:
    assert run("predict", "model_1", table, "-o", tmp_path / output).code == 0
    assert stand_in.headers("/v1/models/model_1/predictions", "Accept") == [accept]


def test_the_inputs_extension_declares_its_format(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_bytes(b"height\n1\n")
    run("predict", "model_1", tmp_path / "in.tsv", "-o", tmp_path / "out.csv")
    assert stand_in.headers("/v1/models/model_1/predictions", "Content-Type") == ["text/tab-separated-values"]


def test_rows_are_read_from_stdin_and_written_to_stdout(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TABLE)))
    assert run("predict", "model_1", "-").out == PREDICTED


def test_warnings_are_printed_beside_the_output(stand_in: StandIn, run: Run, table: Path) -> None:
    done = run("predict", "model_1", table)
    assert done.out == PREDICTED
    assert "column 'kind', 2 times unseen_category: not among them" in done.err


def test_json_is_the_answer_of_the_service(stand_in: StandIn, run: Run, table: Path, tmp_path: Path) -> None:
    run("--json", "predict", "model_1", table)
    assert stand_in.headers("/v1/models/model_1/predictions", "Accept") == ["application/json"]
    written = json.loads(run("--json", "predict", "model_1", table, "-o", tmp_path / "out.csv").out)
    assert written == {"output": str(tmp_path / "out.csv")}


def test_a_rejected_request_does_not_overwrite_an_older_file(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text("yesterday's")
    stand_in.faults = [("/predictions", problem(422, "invalid", "the rows lack the column 'width'"))]
    done = run("predict", "model_1", table, "-o", tmp_path / "out.csv")
    assert (done.code, "lack the column 'width'" in done.err) == (3, True)
    assert (tmp_path / "out.csv").read_text() == "yesterday's"


def test_a_file_that_cannot_be_opened_exits_with_2(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    assert run("predict", "model_1", tmp_path / "absent.csv").code == 2
    assert stand_in.bodies == []
