"""Kinds of columns in a job, the columns that it leaves out, and its warnings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import TableDescription
from backpropd.learn.resolve.columns import resolve_features, resolve_target
from backpropd.tabular import ColumnInfo
from backpropd.tabular.inputs.findings import InputFindings
from backpropd.tabular.inputs.json_rows import JsonRows
from tests.learn.learner import Learner, load_model

SALES = {101: 10.0, 250: 90.0, 377: 30.0, 612: 70.0}
STORES = "store,open,sold\n" + "".join(
    f"{store},{n % 2},{sold + n % 5}\n" for n in range(30) for store, sold in SALES.items()
)
MIXED = "id,note,empty,same,town,uid,y\n" + "".join(
    f"{n},note {n},,7,{'uvw'[n % 3]},{n:08x}-0000-4000-8000-{n:012x},{n % 3 + n / 100}\n" for n in range(40)
)


def test_a_number_is_a_category_in_training_and_in_predictions(tmp_path: Path) -> None:
    learner = Learner(tmp_path, STORES)
    plan = learner.plan("sold", kinds={"store": "category"}, features=["store"], epochs=400)
    assert plan.spec.to_json()["kinds"] == {"store": "category"}
    model = learner.trained(plan)
    assert model["metrics"]["r2"] > 0.95
    assert [column["column"]["kind"] for column in model["encoders"]["features"]["columns"]] == ["category"]
    predictions = load_model(model).predict([{"store": store} for store in (*SALES, *map(str, SALES))])
    values = [each["value"] for each in predictions]
    assert np.allclose(values, [sold + 2 for sold in SALES.values()] * 2, atol=6)


def test_a_boolean_of_several_spellings_is_a_category_of_two_levels_in_training_and_in_predictions(
    tmp_path: Path,
) -> None:
    rows = [f"{('Yes', 'yes', 'no', 'NO', 'NO')[n % 5]},{n % 5 < 2}\n" for n in range(40)]
    learner = Learner(tmp_path, "smokes,y\n" + "".join(rows))
    plan = learner.plan("y", kinds={"smokes": "category"}, epochs=300)
    model = learner.trained(plan)
    assert model["encoders"]["features"]["columns"][0]["encoder"]["levels"] == ["NO", "Yes"]
    predictions = load_model(model).predict([{"smokes": word} for word in ("Yes", "yes", "YES", "no", "NO", "No")])
    assert [each["label"] for each in predictions] == ["True"] * 3 + ["False"] * 3


def test_a_number_can_be_the_target_as_a_category(tmp_path: Path) -> None:
    learner = Learner(tmp_path, STORES)
    plan = learner.plan("store", kinds={"store": "category"}, features=["sold"], class_weight={"101": 2.0})
    assert plan.spec.task == "classification"
    assert sorted(learner.trained(plan)["classes"]) == ["101", "250", "377", "612"]


def test_kinds_apply_to_the_validation_table(tmp_path: Path) -> None:
    learner, other = Learner(tmp_path / "a", STORES), Learner(tmp_path / "b", STORES)
    plan = learner.plan("sold", kinds={"store": "category"}, features=["store"], validation=other)
    run = learner.run(plan, validation=other.source)
    assert run.validation_set is not None
    assert np.array_equal(run.training_set.x, run.validation_set.x)


def test_a_warm_start_has_the_kinds_of_its_model(tmp_path: Path) -> None:
    learner = Learner(tmp_path, STORES)
    before = learner.trained(learner.plan("sold", kinds={"store": "category"}, features=["store"]))
    plan = learner.plan("sold", model=before)
    assert plan.spec.kinds == {"store": "category"}
    assert [(each.column, each.reason) for each in plan.left_out] == [("open", "warm_start")]
    learner.trained(plan, warm_start=before)
    with pytest.raises(errors.Invalid):
        learner.plan("sold", model=before, kinds={"store": "number"})


@pytest.mark.parametrize(
    ("kinds", "pointers"),
    [
        ({"shop": "category"}, ["/kinds/shop"]),
        ({"store": "boolean", "sold": "date"}, ["/kinds/store", "/kinds/sold"]),
    ],
)
def test_a_kind_that_is_not_possible_is_rejected_with_its_pointer(
    tmp_path: Path, kinds: dict[str, str], pointers: list[str]
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        Learner(tmp_path, STORES).plan("sold", kinds=kinds)
    assert [problem.pointer for problem in caught.value.problems] == pointers


def left_out(learner: Learner, target: str, **changes: Any) -> dict[str, str]:
    return {each.column: each.reason for each in learner.plan(target, **changes).left_out}


def test_what_is_left_out_has_a_reason_and_an_example(tmp_path: Path) -> None:
    plan = Learner(tmp_path, MIXED).plan("y")
    assert plan.spec.features == ["town"]
    found = {each.column: each for each in plan.left_out}
    assert {name: each.reason for name, each in found.items()} == {
        "id": "identifier", "note": "text", "empty": "empty", "same": "constant", "uid": "identifier",
    }  # fmt: skip
    assert "'note 0'" in found["note"].detail
    assert "'7'" in found["same"].detail
    assert "name it in features" in found["id"].detail
    assert "name it" not in found["uid"].detail


def test_what_the_request_leaves_out_is_not_listed(tmp_path: Path) -> None:
    learner = Learner(tmp_path, MIXED)
    assert left_out(learner, "y", features=["id", "town"]) == {}
    assert learner.plan("y", features=["id"]).warnings == []
    assert "id" not in left_out(learner, "y", sample_weight="id")
    assert left_out(learner, "y", kinds={"town": "text"})["town"] == "text"


def test_identifiers_remain_with_a_warning_where_nothing_else_does(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n},{n * 1.5}\n" for n in range(40)))
    plan = learner.plan("y")
    assert (plan.spec.features, plan.left_out) == (["x"], [])
    assert [warning.code for warning in plan.warnings] == ["only_identifiers"]


def test_rows_without_a_target_are_told(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n % 7},{'' if n % 4 == 0 else n * 1.5}\n" for n in range(40)))
    (warning,) = learner.plan("y").warnings
    assert (warning.code, warning.pointer) == ("rows_without_target", "/target")
    assert "10 of 40 rows" in warning.detail


def test_dates_are_learned_from_and_not_predicted(tmp_path: Path) -> None:
    text = "day,y\n" + "".join(f"2024-{n // 28 + 1:02}-{n % 28 + 1:02},{n * 1.5}\n" for n in range(100))
    learner = Learner(tmp_path, text)
    assert learner.plan("y").spec.features == ["day"]
    with pytest.raises(errors.UnusableColumn, match="dates") as caught:
        learner.plan("day")
    assert [problem.pointer for problem in caught.value.problems] == ["/target"]


def test_class_weights_name_the_labels_as_they_are_written(tmp_path: Path) -> None:
    text = "x,ok\n" + "".join(f"{n % 7},{('Yes', 'No', 'No')[n % 3]}\n" for n in range(60))
    learner = Learner(tmp_path, text)
    model = learner.trained(learner.plan("ok", class_weight={"Yes": 2.0, "No": 1.0}))
    assert model["classes"] == ["No", "Yes"]
    with pytest.raises(errors.Invalid) as caught:
        learner.plan("ok", class_weight={"true": 2.0})
    assert [problem.pointer for problem in caught.value.problems] == ["/training/class_weight/true"]


WIDE = TableDescription({f"x{n}": ColumnInfo(f"x{n}", "number", 0, 9) for n in range(100_000)}, 50)


def test_the_columns_of_a_wide_table_are_chosen_at_once() -> None:
    assert resolve_features(None, {"x7": "a target"}, WIDE).names == [name for name in WIDE.columns if name != "x7"]
    with pytest.raises(errors.Invalid, match="'x99999' is listed before"):
        resolve_features([*WIDE.columns, "x99999"], {}, WIDE)
    with pytest.raises(errors.Invalid, match="'x99999' is listed twice"):
        resolve_target([*WIDE.columns, "x99999"], WIDE)


def test_the_columns_of_a_wide_table_that_a_model_does_not_know_are_found_at_once() -> None:
    rows = JsonRows([dict.fromkeys([*WIDE.columns, "new"], 1)], [])
    (found,) = InputFindings(rows, {}, [*WIDE.columns]).to_list()
    assert (found.code, found.column) == ("extra_column", "new")
