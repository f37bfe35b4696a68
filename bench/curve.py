"""The README's picture, a learning curve from a job's epochs: `python -m bench.curve`."""

import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from backpropd.client import Client
from embedded.demo import stack

PICTURE = Path(__file__).parent.parent / "docs" / "learning-curve.svg"


def main() -> None:
    """Train digits over HTTP, and draw the losses."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as url, Client(url) as client:
        dataset = client.datasets.sample("digits")
        network = {"hidden": [{"units": 64, "activation": "tanh"}]}
        training = {"epochs": 60, "seed": 1, "optimizer": {"name": "adam", "learning_rate": 0.002}}
        job = client.jobs.create(dataset["id"], "digit", network=network, training=training)
        client.jobs.wait(job["id"])
        epochs = list(client.jobs.epochs(job["id"]))
    numbers = [epoch["epoch"] for epoch in epochs]
    mpl.rcParams["svg.hashsalt"] = "backpropd"  # the same curve gives the same file
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot(numbers, [epoch["loss"] for epoch in epochs], label="loss")
    axes.plot(numbers, [epoch["validation_loss"] for epoch in epochs], label="validation loss")
    axes.set(xlabel="epoch", ylabel="cross-entropy", title="digits, one hidden layer of 64", yscale="log")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})
    print(f"drawn: {PICTURE.name}")


if __name__ == "__main__":
    main()
