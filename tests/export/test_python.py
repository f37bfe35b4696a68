"""Exported scripts give what the service gives, with NumPy alone."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd.export.exported_model import ExportedModel
from backpropd.export.onnx_file import difference, expected
from backpropd.export.probe_rows import Probes, probe_rows
from backpropd.export.python_file import write
from tests.export.trained import NEURONS, OPTIONS, neuron, trained
from tests.learn.learner import Learner


def rows_of(probes: Probes) -> list[dict[str, Any]]:
    """The rows as a script takes them."""
    cells = {
        name: [None if each != each else each for each in values.tolist()] for name, values in probes.cells.items()
    }
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def numbers_of(prediction: dict[str, Any]) -> list[float]:
    """The probabilities or values of a prediction."""
    found = prediction.get("probabilities", prediction.get("value"))
    return list(found.values()) if isinstance(found, dict) else [found]


def check(model: ExportedModel, folder: Path) -> None:
    """The script's predictions are the model's."""
    script, probes = folder / "model.py", probe_rows(model.model)
    script.write_bytes(write(model))
    found = runpy.run_path(str(script))["predict"](rows_of(probes))
    known = expected(model.model, probes)
    assert difference(known, np.array([numbers_of(each) for each in found])) < 1e-6
    if model.model.target.labels is not None:
        assert [each["label"] for each in found] == [model.model.target.labels[best] for best in known.argmax(axis=1)]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_script_of_a_network_gives_the_same(learner: Learner, tmp_path: Path, name: str) -> None:
    check(trained(learner, OPTIONS[name]), tmp_path)


@pytest.mark.parametrize("kind", NEURONS)
def test_the_script_of_a_neuron_gives_the_same(tmp_path: Path, kind: str) -> None:
    check(neuron(tmp_path / "and", kind), tmp_path)


def test_the_script_predicts_a_table_without_this_package(learner: Learner, tmp_path: Path) -> None:
    model = trained(learner, {**OPTIONS["classes"], "features": ["size", "word"]})
    (tmp_path / "model.py").write_bytes(write(model))
    (tmp_path / "rows.csv").write_text("size,word\n3,a\n,unknown\n")
    command = [sys.executable, "-I", "model.py", "rows.csv"]
    lines = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [{"size": 3, "word": "a"}, {"size": None, "word": "unknown"}]
    labels = [each["label"] for each in model.model.predict(rows)]
    assert lines[0] == "size,word,prediction"
    assert [json.loads(line.partition('"')[2][:-1].replace('""', '"'))["label"] for line in lines[1:]] == labels
    assert b"backpropd" not in b"\n".join(each for each in write(model).splitlines() if b"import" in each)
