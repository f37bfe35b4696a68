"""ONNX files in onnxruntime give what the service gives, for every encoder, activation and kind of network."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from backpropd.export.exported_model import ExportedModel
from backpropd.export.onnx_file import DIFFERENCE, difference, expected, write
from backpropd.export.probe_rows import probe_rows
from backpropd.tabular import list_samples
from tests.export.trained import NEURONS, OPTIONS, exported, neuron, trained
from tests.learn.learner import Learner


def run(content: bytes, cells: Any) -> dict[str, Any]:
    """The outputs by name for cells (n,) by column."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    inputs = {name: np.asarray(values).reshape(-1, 1) for name, values in cells.items()}
    return dict(zip(names, session.run(None, inputs), strict=True))


def check(model: ExportedModel) -> None:
    """The file is valid, gives the model's outputs, and tells how far they are off."""
    content, probes = write(model), probe_rows(model.model)
    made = onnx.load_from_string(content)
    onnx.checker.check_model(made, full_check=True)
    recorded = {each.key: each.value for each in made.metadata_props}
    outputs, known = run(content, probes.cells), expected(model.model, probes)
    found = outputs["value" if "value" in outputs else "probabilities"]
    assert difference(known, found) < 1e-5
    assert float(recorded[DIFFERENCE]) < 1e-5
    if model.model.target.labels is not None:
        assert outputs["label"].tolist() == [model.model.target.labels[best] for best in known.argmax(axis=1)]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_network_gives_the_same_in_onnxruntime(learner: Learner, name: str) -> None:
    check(trained(learner, OPTIONS[name]))


@pytest.mark.parametrize("kind", NEURONS)
def test_a_neuron_gives_the_same_in_onnxruntime(tmp_path: Path, kind: str) -> None:
    check(neuron(tmp_path, kind))


@pytest.mark.parametrize("sample", [each.name for each in list_samples()])
def test_every_sample_gives_the_same_in_onnxruntime(tmp_path: Path, sample: str) -> None:
    learner = Learner(tmp_path, sample=sample)
    target = learner.info.columns[-1].name
    check(exported(learner.trained(learner.plan(target, epochs=1, validation_fraction=0.0))))


def test_inputs_are_columns_and_outputs_have_the_documented_shapes(learner: Learner) -> None:
    session = onnxruntime.InferenceSession(write(trained(learner, OPTIONS["classes"])))
    inputs = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    assert inputs["size"] == inputs["clock"] == ("tensor(float)", [None, 1])
    assert inputs["word"] == inputs["day"] == inputs["flag"] == ("tensor(string)", [None, 1])
    outputs = {each.name: each.shape for each in session.get_outputs()}
    assert outputs == {"label": [None], "probabilities": [None, 3]}
