"""Computes what PyTorch makes of the same starts, in float64, into the JSON files beside it.

PyTorch is in no environment of this project; the figures are made anew, from the repository's root, with

python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch==2.13.0 numpy
/tmp/peers/bin/python -m tests.nn.peers.make_figures
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from . import starts

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda a: a * 1,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda a: torch.softmax(a, dim=1),
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": lambda a: F.softplus(a, threshold=1000),  # from its threshold on PyTorch answers a itself
    "softsign": F.softsign,
    "exponential": torch.exp,
}

LOSSES: list[tuple[str, dict[str, float], str, Callable[..., torch.Tensor]]] = [
    ("squared_error", {}, "numbers", F.mse_loss),
    ("absolute_error", {}, "numbers", F.l1_loss),
    ("huber", {}, "numbers", F.huber_loss),
    ("huber", {"delta": 2.5}, "numbers", partial(F.huber_loss, delta=2.5)),
    ("cross_entropy", {}, "classes", F.cross_entropy),
    ("cross_entropy", {"label_smoothing": 0.1}, "classes", partial(F.cross_entropy, label_smoothing=0.1)),
    ("binary_cross_entropy", {}, "labels", F.binary_cross_entropy_with_logits),
    (
        "binary_cross_entropy",
        {"label_smoothing": 0.2},
        "labels",
        lambda a, y, reduction: F.binary_cross_entropy_with_logits(a, y * 0.8 + 0.1, reduction=reduction),
    ),
    ("poisson", {}, "counts", F.poisson_nll_loss),
]


def activations() -> dict[str, Any]:
    """Each activation's h, and its gradient at a."""
    values, grad_h = starts.preactivations()
    figures = {}
    for name, function in ACTIVATIONS.items():
        a = torch.tensor(values, requires_grad=True)
        h = function(a)
        h.backward(torch.tensor(grad_h))
        figures[name] = {"h": h.tolist(), "grad_a": a.grad.tolist()}
    return figures


def losses() -> dict[str, Any]:
    """Each loss's mean, plain and with weights of the rows, and its gradient: at a, which for no fused loss is h."""
    values, weight, targets = starts.outputs()
    figures = {}
    for name, parameters, kind, function in LOSSES:
        plain, weighted = (torch.tensor(values, requires_grad=True) for _ in range(2))
        y = torch.tensor(targets[kind])
        mean = function(plain, y, reduction="mean")
        rows = function(weighted, y, reduction="none").reshape(len(values), -1).mean(dim=1)
        weighted_mean = (torch.tensor(weight) * rows).mean()
        mean.backward()
        weighted_mean.backward()
        figures[" ".join([name, *(f"{key}={value}" for key, value in parameters.items())])] = {
            "loss": name,
            "parameters": parameters,
            "targets": kind,
            "plain": {"value": mean.item(), "gradient": plain.grad.tolist()},
            "weighted": {"value": weighted_mean.item(), "gradient": weighted.grad.tolist()},
        }
    return figures


def write(name: str, figures: dict[str, Any]) -> None:
    """One JSON file, a line a name: the version that made it, and the figures."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"torch": torch.__version__, **figures}.items()
    ]
    Path(__file__).with_name(f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    for make in (activations, losses):
        write(make.__name__, make())
