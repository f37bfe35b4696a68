"""The bundled samples: CSV files, the generated points of the playground, and truth tables."""

import csv
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from backpropd.errors import Invalid, UnknownSample
from backpropd.tabular.samples import playground

FOLDER = Path(__file__).parent
UCI = "UCI Machine Learning Repository"
PARAMETERS = ("noise", "rows", "seed")

TRUTH_TABLES: dict[str, tuple[int, Callable[..., int]]] = {
    "and": (2, lambda x1, x2: x1 & x2),
    "or": (2, lambda x1, x2: x1 | x2),
    "not": (1, lambda x1: 1 - x1),
    "nor": (2, lambda x1, x2: 1 - (x1 | x2)),
    "nand": (2, lambda x1, x2: 1 - (x1 & x2)),
    "xor": (2, lambda x1, x2: x1 ^ x2),
}


@dataclass(frozen=True)
class SampleInfo:
    """A sample with its target and origin; `parameters` are those of `noise`, `rows` and `seed` that it accepts."""

    name: str
    description: str
    task: str
    target: str
    rows: int
    source: str
    licence: str
    parameters: tuple[str, ...] = ()


FILES = [
    SampleInfo("iris", "three species of iris, by flower size", "classification", "species", 150, UCI, "CC BY 4.0"),
    SampleInfo("wine", "three cultivars, by chemical analysis", "classification", "cultivar", 178, UCI, "CC BY 4.0"),
    SampleInfo("breast_cancer", "tumours, by their cell nuclei", "classification", "diagnosis", 569, UCI, "CC BY 4.0"),
    SampleInfo("digits", "handwritten digits, 8 by 8 pixels", "classification", "digit", 1797, UCI, "CC BY 4.0"),
    SampleInfo("diabetes", "progression of diabetes within a year", "regression", "progression", 442,
               "Efron et al., Least Angle Regression, 2004", "BSD-3-Clause, through scikit-learn"),
]  # fmt: skip


def list_samples() -> list[SampleInfo]:
    """Every sample. `xor` is the truth table, or with noise, rows or a seed the playground's points."""
    generated = [
        SampleInfo(name, f"{text} (with noise, rows or seed)", "classification", "label", playground.ROWS,
                   "generated, after the TensorFlow Playground", "MIT", PARAMETERS)
        for name, text in playground.DESCRIPTIONS.items() if name not in TRUTH_TABLES
    ]  # fmt: skip
    truth_tables = [
        SampleInfo(name, f"the truth table of {name}", "classification", "y", 2**inputs, "logic", "public domain",
                   PARAMETERS if name in playground.DESCRIPTIONS else ())
        for name, (inputs, _) in TRUTH_TABLES.items()
    ]  # fmt: skip
    return [*FILES, *generated, *truth_tables]


def write_sample(
    name: str, destination: Path, *, noise: float | None = None, rows: int | None = None, seed: int | None = None
) -> None:
    """Write a sample as CSV. Raises `UnknownSample`, and `Invalid` for parameters that it does not accept."""
    values = {"noise": noise, "rows": rows, "seed": seed}
    given = [parameter for parameter, value in values.items() if value is not None]
    samples = {sample.name: sample for sample in list_samples()}
    if name not in samples:
        raise UnknownSample(f"there is no sample {name!r}; the samples are: {', '.join(samples)}", pointer="/sample")
    if given and not samples[name].parameters:
        raise Invalid(f"the sample {name} is fixed: it does not accept {given[0]}", pointer=f"/{given[0]}")
    if name in playground.DESCRIPTIONS and (given or name not in TRUTH_TABLES):
        # without a seed every upload gets different points
        rng = np.random.default_rng(secrets.randbits(63) if seed is None else seed)
        points, labels = playground.generate(name, rows or playground.ROWS, noise or 0.0, rng)
        cells = ([*point, label] for point, label in zip(points.tolist(), labels.tolist(), strict=True))
        _write(destination, ["x1", "x2", "label"], cells)
    elif name in TRUTH_TABLES:
        inputs, function = TRUTH_TABLES[name]
        table = ([*row, function(*row)] for row in product((0, 1), repeat=inputs))
        _write(destination, [*(f"x{n}" for n in range(1, inputs + 1)), "y"], table)
    else:
        shutil.copyfile(FOLDER / f"{name}.csv", destination)


def _write(destination: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    with destination.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
