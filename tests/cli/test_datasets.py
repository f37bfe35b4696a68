"""`backpropd datasets`: options of reading, previews, and the warnings of tables and jobs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn

WARNING = {"code": "cells_not_numbers", "column": "width", "count": 1, "detail": "1 cell is no number", "examples": []}


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    (tmp_path / "plants.csv").write_text("height;width;kind\n1;2;fern\n")
    return tmp_path / "plants.csv"


@pytest.mark.parametrize("command", ["upload", "preview"])
def test_every_option_of_reading_is_sent(stand_in: StandIn, run: Run, plants: Path, command: str) -> None:
    done = run(
        "datasets", command, plants, "--delimiter", r"\t", "--encoding", "latin-1", "--no-header", "--quote", "",
        "--decimal", ",", "--thousands", ".", "--skip-lines", 2, "--comment", "#", "--missing", "-", "--missing", "?",
        "--kinds", "height=number,a=b=text", "--sheet", "one", "--strict",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert stand_in.queries == [
        {
            "name": "plants", "delimiter": "\t", "encoding": "latin-1", "header": "false", "quote": "", "decimal": ",",
            "thousands": ".", "skip_lines": "2", "comment": "#", "missing": '["-", "?"]', "sheet": "one",
            "kinds": '{"height": "number", "a=b": "text"}', "strict": "true",
        }
    ]  # fmt: skip


def test_options_that_are_left_out_are_not_sent(stand_in: StandIn, run: Run, plants: Path) -> None:
    run("datasets", "upload", plants, "--kinds", '{"height": "text"}', "--header")
    assert stand_in.queries == [{"name": "plants", "kinds": '{"height": "text"}', "header": "true"}]


@pytest.mark.parametrize("kinds", ["height", "{", "=text"])
def test_kinds_that_are_none_are_rejected(stand_in: StandIn, run: Run, plants: Path, kinds: str) -> None:
    assert run("datasets", "upload", plants, "--kinds", kinds).code == 2
    assert stand_in.requests == []


def test_a_preview_shows_the_kinds_and_the_first_rows(stand_in: StandIn, run: Run, plants: Path) -> None:
    header, kinds, row = run("datasets", "preview", plants).out.splitlines()
    assert header.split() == ["height", "width", "kind"]
    assert kinds.split() == ["number", "number", "category"]
    assert row.split() == ["1", "2.5", "fern"]
    assert json.loads(run("--json", "datasets", "preview", plants).out)["rows"] is None


def test_the_warnings_of_a_table_and_a_job_are_told(stand_in: StandIn, run: Run, plants: Path) -> None:
    stand_in.table_warnings = [WARNING]
    assert "warning: width: 1 cell is no number" in run("datasets", "upload", plants).err
    stand_in.job_notes = {
        "warnings": [{"code": "task_is_a_guess", "pointer": "/task", "detail": "the target may be an amount"}],
        "left_out": [{"column": "id", "reason": "identifier", "detail": "has the numbers of the rows"}],
    }
    told = run("train", plants, "--target", "kind", "--kinds", "width=category", "--no-wait").err
    assert stand_in.bodies[-1]["kinds"] == {"width": "category"}
    for line in ("warning: width: 1 cell", "warning: the target may be", "left out: id has the numbers of the rows"):
        assert line in told
    assert "warning" not in run("--json", "train", plants, "--target", "kind", "--no-wait").err
