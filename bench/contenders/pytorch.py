"""PyTorch eager: the plain training loop over tensors in memory."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from bench.workloads import LEARNING_RATE, MOMENTUM, Workload, data

VERSION = f"PyTorch {torch.__version__}"


def train(workload: Workload) -> Callable[[], Callable[[int], object]]:
    """Each start has a new model. The loop does not collect the losses, which the core records."""
    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, data(workload))
    if workload.outputs == 1:
        y = y[:, None].to(torch.float32)

    def start() -> Callable[[int], object]:
        torch.manual_seed(0)
        sizes = (workload.inputs, *workload.hidden)
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        model = nn.Sequential(*layers, nn.Linear(sizes[-1], workload.outputs))
        return partial(_epochs, model, x, y, workload.batch_size)

    return start


def _epochs(model: nn.Module, x: torch.Tensor, y: torch.Tensor, batch_size: int, epochs: int) -> None:
    loss_function = nn.BCEWithLogitsLoss() if y.ndim == 2 else nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            loss = loss_function(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()


CONTENDERS = {"pytorch": train}
