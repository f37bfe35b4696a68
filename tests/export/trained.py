"""Models of every kind of column, network and output, trained for two epochs, as exporters take them."""

import hashlib
from pathlib import Path
from typing import Any

from backpropd.export.exported_model import ExportedModel
from backpropd.nn import ACTIVATIONS
from tests.learn.learner import Learner, load_model

TABLE = "size,gap,word,flag,day,moment,clock,price,kind,good,old\n" + "".join(
    f"{n * 1.5},{'' if n % 5 == 0 else n % 7},{'' if n % 11 == 0 else 'abc'[n % 3]},{('no', 'yes')[n % 2]},"
    f"{2000 + n % 20}-{1 + n % 12:02}-{1 + n % 28:02},{2001 + n % 3}-0{1 + n % 9}-11T{n % 24:02}:30:{n % 60:02},"
    f"{n % 24:02}:{n % 60:02},{n * 2 + n % 3},{'uvw'[n % 3]},{('no', 'yes')[n // 2 % 2]},{('no', 'yes')[n // 3 % 2]}\n"
    for n in range(80)
)
HIDDEN = [name for name, each in ACTIVATIONS.items() if each.hidden]
OPTIONS: dict[str, dict[str, Any]] = {
    "classes": {"target": "kind"},
    "two classes": {"target": "good"},
    "labels": {"target": ["good", "old"], "task": "classification"},
    "value": {"target": "price"},
    "derived": {
        "target": "price",
        "features": ["word", {"product": ["gap", "size"]}, {"log": "size"}, {"sin": "clock"}, "gap", {"square": "gap"}],
    },
    "values": {"target": ["price", "size"]},
    "robust": {"target": "kind", "feature_scaling": "robust"},
    "float64": {"target": "price", "dtype": "float64"},
    "clipped": {"target": "price", "clip_predictions": True},
    "counts": {"target": "price", "loss": "poisson"},
    "ensemble": {"target": "kind", "early_stopping": {"patience": 2}, "refit": True, "ensemble_size": 3},
    "scaled": {"target": "price", "network": {"input_scaling": True, "parametrization": "ntk"}},
    **{
        f"{name} {kind}": {"target": "price", "hidden": [{"units": 5, "activation": name, "normalization": kind}]}
        for name in HIDDEN
        for kind in ((None, "batch", "layer") if name == "tanh" else (None,))
    },
}
NEURONS = ("mcculloch_pitts", "perceptron", "perceptron_network")


def exported(model: dict[str, Any]) -> ExportedModel:
    """The model that a run ended with."""
    record = {**model, "id": "model_1", "name": "a model", "training_job": None, "dataset": None, "curve": None}
    record["sha256"] = hashlib.sha256(model["weights"]).hexdigest()
    return ExportedModel(load_model(model), model["weights"], record)


def trained(learner: Learner, options: dict[str, Any]) -> ExportedModel:
    """A network with these options."""
    return exported(learner.trained(learner.plan(**{"epochs": 2, **options})))


def neuron(folder: Path, kind: str) -> ExportedModel:
    """A threshold neuron that knows the function and."""
    learner = Learner(folder, sample="and")
    return exported(learner.trained(learner.neuron_plan("y", kind)))
