"""Compute PyTorch's results from `starts`, in float64, into the JSON files beside this one.

No environment of this project has PyTorch; to compute the results again, run in the repository's root

python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch==2.13.0 numpy
/tmp/peers/bin/python -m tests.nn.peers.make_references
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import optim
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

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
    "mish": lambda a: a * torch.tanh(torch.logaddexp(a, torch.zeros_like(a))),
    "softplus": lambda a: F.softplus(a, threshold=1000),  # above its threshold PyTorch returns a
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

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adadelta": optim.Adadelta,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
}
PYTORCH_NAMES = {"learning_rate": "lr", "epsilon": "eps", "initial_accumulator": "initial_accumulator_value"}

# Our optimizer, and our regularization.
RUNS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "sgd", "learning_rate": 0.1}, {}),
    ({"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, {}),
    ({"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True}, {}),
    ({"name": "adagrad"}, {}),
    ({"name": "adagrad", "learning_rate": 0.2, "initial_accumulator": 0.1, "epsilon": 0.01}, {}),
    ({"name": "rmsprop"}, {}),
    ({"name": "rmsprop", "learning_rate": 0.002, "alpha": 0.9, "epsilon": 0.001, "momentum": 0.8}, {}),
    ({"name": "adadelta"}, {}),
    ({"name": "adadelta", "learning_rate": 0.5, "rho": 0.8, "epsilon": 0.001}, {}),
    ({"name": "adam", "learning_rate": 0.001}, {}),
    ({"name": "adam", "learning_rate": 0.02, "beta1": 0.8, "beta2": 0.9, "epsilon": 0.001}, {}),
    ({"name": "adam", "learning_rate": 0.02, "beta2": 0.9, "amsgrad": True}, {}),
    ({"name": "adamw", "learning_rate": 0.02}, {"weight_decay": 0.3}),
    ({"name": "nadam", "learning_rate": 0.002}, {}),
    ({"name": "nadam", "learning_rate": 0.02, "beta1": 0.95, "momentum_decay": 0.5}, {}),
    ({"name": "sgd", "learning_rate": 0.1}, {"l1": 0.003, "l2": 0.01}),
    ({"name": "sgd", "learning_rate": 0.1}, {"clip_norm": 0.2}),
    ({"name": "sgd", "learning_rate": 0.1}, {"clip_value": 0.05}),
    ({"name": "sgd", "learning_rate": 0.1}, {"clip_value": 0.05, "clip_norm": 0.1}),
    ({"name": "sgd", "learning_rate": 0.3}, {"max_norm": 1.2}),
]


def make_optimizer(ours: dict[str, Any], regularization: dict[str, Any], groups: Any) -> optim.Optimizer:
    """PyTorch's optimizer with the same settings."""
    settings = {key: value for key, value in regularization.items() if key == "weight_decay"}
    for key, value in ours.items():
        if key not in ("name", "beta1", "beta2"):
            settings[PYTORCH_NAMES.get(key, key)] = value
    if {"beta1", "beta2"} & ours.keys():
        settings["betas"] = (ours.get("beta1", 0.9), ours.get("beta2", 0.999))
    return OPTIMIZERS[ours["name"]](groups, **settings)


TOTAL = starts.EPOCHS * starts.STEPS_PER_EPOCH


def warmed_up(rates: optim.Optimizer, epochs: int, after: LRScheduler) -> LRScheduler:
    steps = epochs * starts.STEPS_PER_EPOCH
    climb = lr_scheduler.LinearLR(rates, 1 / steps, total_iters=steps - 1)
    return lr_scheduler.SequentialLR(rates, [climb, after], [steps])


# Our schedule, the same one of PyTorch, and whether that changes after an epoch (True) or after a step.


def coslog4(step: int) -> float:
    """The formula in the appendix of Better by Default: PyTorch does not have this schedule."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * step / TOTAL)))


SCHEDULES: list[tuple[dict[str, Any], Callable[[optim.Optimizer], LRScheduler], bool]] = [
    ({"name": "constant"}, partial(lr_scheduler.ConstantLR, factor=1.0), True),
    ({"name": "step", "every": 3, "factor": 0.5}, partial(lr_scheduler.StepLR, step_size=3, gamma=0.5), True),
    ({"name": "exponential", "factor": 0.9}, partial(lr_scheduler.ExponentialLR, gamma=0.9), True),
    ({"name": "cosine"}, partial(lr_scheduler.CosineAnnealingLR, T_max=TOTAL), False),
    (
        {"name": "cosine", "period": 4, "minimum_factor": 0.01},
        partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=4 * starts.STEPS_PER_EPOCH, eta_min=0.01 * starts.BASE),
        False,
    ),
    (
        {"name": "cosine", "period": 3, "restart_multiplier": 2},
        partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=3 * starts.STEPS_PER_EPOCH, T_mult=2),
        False,
    ),
    (
        {"name": "cosine", "warmup_epochs": 3},
        lambda rates: warmed_up(rates, 3, lr_scheduler.CosineAnnealingLR(rates, TOTAL - 3 * starts.STEPS_PER_EPOCH)),
        False,
    ),
    ({"name": "inverse_scaling"}, partial(lr_scheduler.LambdaLR, lr_lambda=lambda step: (step + 1) ** -0.5), False),
    ({"name": "coslog4"}, partial(lr_scheduler.LambdaLR, lr_lambda=coslog4), False),
    (
        {"name": "one_cycle"},
        partial(lr_scheduler.OneCycleLR, max_lr=25 * starts.BASE, total_steps=TOTAL, cycle_momentum=False),
        False,
    ),
    (
        {"name": "one_cycle", "maximum_factor": 10.0, "rising_fraction": 0.45, "minimum_factor": 0.05},
        partial(
            lr_scheduler.OneCycleLR,
            max_lr=10 * starts.BASE,
            total_steps=TOTAL,
            pct_start=0.45,
            div_factor=10,
            final_div_factor=20,
            cycle_momentum=False,
        ),
        False,
    ),
    (
        {"name": "reduce_on_plateau", "factor": 0.5, "patience": 2, "min_delta": 0.02, "minimum_rate": 0.03},
        partial(
            lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=1, threshold=0.02, threshold_mode="abs", min_lr=0.03
        ),
        True,
    ),
]


def activations() -> dict[str, Any]:
    """The h of each activation, and the gradient at a."""
    values, grad_h = starts.preactivations()
    results = {}
    for name, function in ACTIVATIONS.items():
        a = torch.tensor(values, requires_grad=True)
        h = function(a)
        h.backward(torch.tensor(grad_h))
        results[name] = {"h": h.tolist(), "grad_a": a.grad.tolist()}
    return results


def losses() -> dict[str, Any]:
    """The mean of each loss, with and without row weights, and its gradient at a; without fusion, a is h."""
    values, weight, targets = starts.outputs()
    results = {}
    for name, parameters, kind, function in LOSSES:
        plain, weighted = (torch.tensor(values, requires_grad=True) for _ in range(2))
        y = torch.tensor(targets[kind])
        mean = function(plain, y, reduction="mean")
        rows = function(weighted, y, reduction="none").reshape(len(values), -1).mean(dim=1)
        weighted_mean = (torch.tensor(weight) * rows).mean()
        mean.backward()
        weighted_mean.backward()
        results[" ".join([name, *(f"{key}={value}" for key, value in parameters.items())])] = {
            "loss": name,
            "parameters": parameters,
            "targets": kind,
            "plain": {"value": mean.item(), "gradient": plain.grad.tolist()},
            "weighted": {"value": weighted_mean.item(), "gradient": weighted.grad.tolist()},
        }
    return results


def epoch(
    parameters: list[torch.Tensor],
    optimizer: torch.optim.Optimizer,
    l1: float = 0,
    l2: float = 0,
    clip_value: float | None = None,
    clip_norm: float | None = None,
    max_norm: float | None = None,
    weight_decay: float = 0,  # the optimizer applies it
) -> float:
    """One step for each batch, the rows in order; returns the mean loss over the rows, without l1 and l2."""
    rows, classes, _ = starts.training()
    total, weights = 0.0, parameters[::2]
    for x, y in zip(
        torch.tensor(rows).split(starts.BATCH_SIZE), torch.tensor(classes).split(starts.BATCH_SIZE), strict=True
    ):
        h = x
        for weight, bias in zip(weights, parameters[1::2], strict=True):
            a = h @ weight + bias
            h = torch.tanh(a)
        loss = F.cross_entropy(a, y)
        total += len(x) * loss.item()
        optimizer.zero_grad()
        (loss + sum(l1 * weight.abs().sum() + l2 * weight.square().sum() for weight in weights)).backward()
        if clip_value:
            torch.nn.utils.clip_grad_value_(parameters, clip_value)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        if max_norm:
            for weight in weights:
                weight.data = torch.renorm(weight.data, p=2, dim=1, maxnorm=max_norm)
    return total / len(rows)


def optimizers() -> dict[str, Any]:
    """The loss of every epoch of each run, the mean over its batches before their steps, and the final parameters."""
    results = {}
    for ours, regularization in RUNS:
        parameters = [torch.tensor(values, requires_grad=True) for values in starts.training()[2]]
        weights, biases = parameters[::2], parameters[1::2]
        groups = [{"params": weights}, {"params": biases, "weight_decay": 0}]  # decay is for weights alone
        optimizer = make_optimizer(ours, regularization, groups)
        losses = [epoch(parameters, optimizer, **regularization) for _ in range(starts.EPOCHS)]
        results[" ".join(f"{key}={value}" for key, value in (ours | regularization).items())] = {
            "optimizer": ours,
            "regularization": regularization,
            "losses": losses,
            "theta": torch.cat([parameter.flatten() for parameter in parameters]).tolist(),
        }
    return results


def schedules() -> dict[str, Any]:
    """The learning rate of every step of EPOCHS epochs, for each schedule."""
    results = {}
    for ours, make, by_epoch in SCHEDULES:
        rates = optim.SGD([torch.zeros(1)], lr=starts.BASE)
        schedule = make(rates)
        found = []
        for loss in starts.plateau_losses():
            for _ in range(starts.STEPS_PER_EPOCH):
                found.append(rates.param_groups[0]["lr"])
                rates.step()
                if not by_epoch:
                    schedule.step()
            if by_epoch:
                schedule.step(*([loss] if ours["name"] == "reduce_on_plateau" else []))
        results[" ".join(f"{key}={value}" for key, value in ours.items())] = {"schedule": ours, "rates": found}
    return results


def write(name: str, results: dict[str, Any]) -> None:
    """Write a JSON file with one line for PyTorch's version, and one for each result."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"torch": torch.__version__, **results}.items()
    ]
    Path(__file__).with_name(f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    for make in (activations, losses, optimizers, schedules):
        write(make.__name__, make())
