"""Rows of a prediction with more wrong cells than an error lists: the columns behind them are not looked at."""

from pathlib import Path

import pytest

from backpropd.errors import MAX_PROBLEMS, Invalid
from backpropd.learn import predictor
from backpropd.tabular.inputs.conversion import Cells, convert_column
from backpropd.tabular.inputs.json_rows import JsonRows
from tests.learn.learner import Learner, load_model

COLUMNS = [f"x{n}" for n in range(600)]
TABLE = "\n".join(
    [",".join([*COLUMNS, "y"]), *(",".join(str(row * (n % 6 + 1) % 7) for n in range(601)) for row in range(20))]
)


def test_a_row_of_wrong_cells_is_rejected_without_a_search_in_each_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(tmp_path, TABLE)
    model = load_model(learner.trained(learner.plan("y", features=COLUMNS, task="regression")))
    converted: list[Cells] = []
    monkeypatch.setattr(
        predictor, "convert_column", lambda *each: (converted.append(each[0]), convert_column(*each))[1]
    )
    with pytest.raises(Invalid) as caught:
        predictor.Predictor(model, JsonRows([dict.fromkeys(COLUMNS, "true")], [])).findings()
    assert [problem.pointer for problem in caught.value.problems] == [f"/rows/0/x{n}" for n in range(MAX_PROBLEMS)]
    assert len(converted) == MAX_PROBLEMS + 1
