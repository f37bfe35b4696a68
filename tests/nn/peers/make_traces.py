"""Compute traces.json: every number of `starts.TRACES`, forward and backward, by PyTorch's autograd in float64.

Run it as `make_references`: /tmp/peers/bin/python -m tests.nn.peers.make_traces
"""

from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from tests.nn.peers.make_references import ACTIVATIONS, write

from . import starts

Tensors = dict[str, torch.Tensor]


def cross_entropy(h: torch.Tensor, y: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    targets = (1 - label_smoothing) * F.one_hot(y, h.shape[1]) + label_smoothing / h.shape[1]
    return -(targets * h.log()).sum(dim=1).mean()


def binary_cross_entropy(h: torch.Tensor, y: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    return F.binary_cross_entropy(h, (1 - label_smoothing) * y + label_smoothing / 2)


# Computed from h, not from logits, so that autograd has a gradient at h for every loss.
LOSSES = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber": F.huber_loss,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "poisson": partial(F.poisson_nll_loss, log_input=False, eps=0.0),
}


def normalize(kind: str, z: torch.Tensor, parameters: Tensors, name: str) -> torch.Tensor:
    scale, shift = parameters[f"{name}.scale"], parameters[f"{name}.shift"]
    if kind == "layer":
        return F.layer_norm(z, z.shape[1:], scale, shift)
    mean, variance = parameters[f"{name}.running_mean"], parameters[f"{name}.running_variance"]
    return F.batch_norm(z, mean, variance, scale, shift, training=False)


def trace(
    hidden: tuple[str, ...], normalization: str | None, output: str, loss: str, settings: dict[str, float], kind: str
) -> dict[str, Any]:
    x, targets, values = starts.tracing(len(hidden), normalization)
    parameters = {name: torch.tensor(value, requires_grad="running" not in name) for name, value in values.items()}
    h, layers = torch.tensor(x), []
    for index, activation in enumerate((*hidden, output)):
        name = f"layers.{index}"
        tensors = {"a": h @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]}
        if normalization and index < len(hidden):
            tensors["z"] = tensors["a"]
            tensors["a"] = normalize(normalization, tensors["z"], parameters, name)
        h = tensors["h"] = ACTIVATIONS[activation](tensors["a"])
        for tensor in tensors.values():
            tensor.retain_grad()
        layers.append(tensors)
    mean = LOSSES[loss](h, torch.tensor(targets[kind]), **settings)
    mean.backward()
    found = []
    for index, tensors in enumerate(layers):
        own = {name.split(".")[2]: each for name, each in parameters.items() if name.startswith(f"layers.{index}.")}
        gradients = {name: each.grad.tolist() for name, each in (own | tensors).items() if each.requires_grad}
        found.append({name: each.tolist() for name, each in tensors.items()} | {"gradients": gradients})
    return {"loss": mean.item(), "layers": found}


def traces() -> dict[str, Any]:
    """Each case's loss, and layer by layer the values and the gradients of the loss at them."""
    return {" ".join(str(each) for each in case): trace(*case) for case in starts.TRACES}


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    write("traces", traces())
