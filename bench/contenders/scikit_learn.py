"""scikit-learn's MLPClassifier, without what the core does not do."""

import warnings
from collections.abc import Callable

import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from bench.workloads import LEARNING_RATE, MOMENTUM, Workload, data

VERSION = f"scikit-learn {sklearn.__version__}"


def train(workload: Workload) -> Callable[[], Callable[[int], object]]:
    """`fit` for the requested number of epochs: it shuffles each, and never stops early."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is the point
    x, y = data(workload)

    def run(epochs: int) -> object:
        return MLPClassifier(
            workload.hidden, activation="relu", solver="sgd", alpha=0.0, batch_size=workload.batch_size,
            learning_rate_init=LEARNING_RATE, momentum=MOMENTUM, nesterovs_momentum=False, max_iter=epochs, tol=0.0,
            n_iter_no_change=epochs + 1, random_state=0,
        ).fit(x, y)  # fmt: skip

    return lambda: run


CONTENDERS = {"scikit-learn": train}
