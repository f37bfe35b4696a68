"""Gradient checks and homework by the command."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from backpropd.cli.commands import gradients
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn


def written(folder: Path, body: Any) -> Path:
    (folder / "body.json").write_text(json.dumps(body))
    return folder / "body.json"


def test_a_gradient_check_is_a_table_of_errors(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    body = {"rows": [[1, 2]], "targets": ["fern"]}
    done = run("models", "gradient-check", "model_1", written(tmp_path, body), "--epsilon", "0.001")
    assert done.code == 0, done.err
    assert "layers.0.bias  2.00e-01" in done.out
    assert stand_in.bodies == [{**body, "epsilon": 0.001}]


def test_homework_is_told_its_first_wrong_step(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    body = {"row": [1, 2], "target": "fern", "answers": {"loss": 2}}
    done = run("models", "homework", "model_1", written(tmp_path, body), "--tolerance", "0.01")
    assert done.code == 0, done.err
    assert "loss is wrong, at /answers/loss\nthe rule: the loss is the [mean]\nL = 1\n" in done.out
    assert "the right value" not in done.out
    assert stand_in.bodies == [{**body, "tolerance": 0.01}]
    assert "the right value: 1.0" in run("models", "homework", "model_1", tmp_path / "body.json", "--reveal").out
    right = written(tmp_path, {**body, "answers": {"loss": 1}})
    assert run("models", "homework", "model_1", right).out == "all 1 values are right\n"


def test_a_file_is_sent_as_it_is_but_for_the_options(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    body = {"rows": [[1, 2]], "targets": ["fern"], "epsilon": 0.01, "model_id": "x", "more": None}
    assert run("models", "gradient-check", "model_1", written(tmp_path, body)).code == 0
    assert run("models", "gradient-check", "model_1", tmp_path / "body.json", "--epsilon", "0.1").code == 0
    assert stand_in.bodies == [body, {**body, "epsilon": 0.1}]
    stand_in.bodies.clear()
    body = {"row": [1], "target": "fern", "answers": {"loss": 2}, "reveal": True, "tolerance": 0.5, "model_id": "x"}
    done = run("models", "homework", "model_1", written(tmp_path, body))
    assert "the right value: 1.0" in done.out, done.err
    assert run("models", "homework", "model_1", tmp_path / "body.json", "--tolerance", "0.1").code == 0
    assert stand_in.bodies == [body, {**body, "tolerance": 0.1}]
    done = run("models", "gradient-check", "model_1", written(tmp_path, {"rows": None, "targets": []}))
    assert (done.code, "rows of" in " ".join(done.err.replace("│", " ").split())) == (2, True)


@pytest.mark.parametrize(
    ("values", "largest"), [([[0.1, 0.3], [0.2, 0.0]], 0.3), ([], 0.0), ([0.1, None], None), ([[0.5], [None]], None)]
)
def test_a_number_that_is_not_finite_is_not_hidden_by_a_larger_one(values: Any, largest: float | None) -> None:
    found = gradients._largest(values)
    assert math.isnan(found) if largest is None else found == largest


def test_a_file_comes_from_stdin(stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"rows": [[1, 2]], "targets": ["fern"]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(body)))
    assert json.loads(run("models", "gradient-check", "model_1", "-", "--json").out)["relative_error"] == 0.1
    assert stand_in.bodies == [body]


@pytest.mark.parametrize(
    ("body", "detail"), [("{", "is not JSON"), ("[]", "row, target, answers"), ('{"row": [1]}', "target, answers")]
)
def test_a_file_that_is_no_homework_is_a_wrong_command_line(
    stand_in: StandIn, run: Run, tmp_path: Path, body: str, detail: str
) -> None:
    (tmp_path / "x.json").write_text(body)
    done = run("models", "homework", "model_1", tmp_path / "x.json")
    assert done.code == 2
    assert detail in " ".join(done.err.replace("│", " ").split())  # lines are broken in a box
    assert not stand_in.requests


def test_compared_jobs_are_columns(stand_in: StandIn, run: Run) -> None:
    done = run("jobs", "compare", "job_1", "job_2")
    assert done.code == 0, done.err
    lines = {line.split("  ")[0].strip(): line.split()[-2:] for line in done.out.splitlines()}
    assert lines["final loss"] == ["0.166667", "0.166667"]
    assert lines["best epoch"][-1] == "5"
    assert lines["/training/seed"] == ["1", "null"]
    assert stand_in.bodies == [{"ids": "job_1,job_2"}]
