"""A model in float64, whatever the dtype of its parameters is: inspections differ from each other by less."""

from dataclasses import replace

from backpropd.learn.model import Model


def in_float64(model: Model) -> Model:
    """The same model, with encoders and a network of float64."""
    spec = replace(model.spec, training=replace(model.spec.training, dtype="float64"))
    return replace(model, spec=spec, encoder=model.encoder.in_float64())
