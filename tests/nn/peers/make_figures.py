"""Computes what PyTorch makes of the same starts, in float64, into the JSON files beside it.

PyTorch is in no environment of this project; the figures are made anew, from the repository's root, with

python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch==2.13.0 numpy
/tmp/peers/bin/python -m tests.nn.peers.make_figures
"""

from __future__ import annotations

import json
from collections.abc import Callable
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


def write(name: str, figures: dict[str, Any]) -> None:
    """One JSON file, a line a name: the version that made it, and the figures."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"torch": torch.__version__, **figures}.items()
    ]
    Path(__file__).with_name(f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    for make in (activations,):
        write(make.__name__, make())
