"""The search for a McCulloch-Pitts neuron that represents a table of 0 and 1, or the rows that rule every one out.

A neuron that no active input vetoes sums all the active inputs of a row, for they are all excitatory. So it
answers 1 exactly where no inhibitory input is active and at least `threshold` inputs are: which inputs are
inhibitory does not change the sum of a row that gets as far as the threshold. A row of target 1 then forbids two
things and nothing else: that an input active in it is inhibitory, and that the threshold exceeds the number of its
active inputs. Of all the neurons that the rows of target 1 allow, the strictest (every allowed input inhibitory, the
highest threshold) is silent wherever any of them is: it represents the table, or none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backpropd.errors import NotRepresentable
from backpropd.nn.layout import Array
from backpropd.nn.neurons.perceptron_network import LARGEST_INPUTS

SHOWN = 20  # a message names as many rows of a conflict, and inputs of a row, at most


class Family(NamedTuple):
    """Neurons to choose from: which inputs are inhibitory (inputs,), and the threshold; None is searched."""

    inhibitory: Array | None
    threshold: int | None


class Neuron(NamedTuple):
    """One McCulloch-Pitts neuron over as many inputs as `inhibitory` (inputs,) has."""

    inhibitory: Array
    threshold: int

    def answers(self, x: Array) -> Array:
        """The output (n,) for rows x (n, inputs): no inhibitory input is active, and `threshold` inputs are."""
        vetoed = np.logical_or.reduce(x & self.inhibitory, axis=1)
        answers: Array = ~vetoed & (x.sum(axis=1) >= self.threshold)
        return answers


def represent(x: Array, y: Array, family: Family, names: Sequence[str]) -> Neuron:
    """The neuron of the family that answers each of the rows x (n, inputs) with its target y (n,).

    Of several it is the one with the highest threshold (but 0 where the target is always 1) and, for that, no
    inhibitory input that could as well be excitatory. Exact, in time linear in the rows; `names` (inputs,) are for
    the message. Raises `NotRepresentable`, with rows that cannot be satisfied together, if there is none.
    """
    neuron = strictest(x, y, family)
    if (neuron.answers(x) != y).any():
        raise _refusal(x, y, family, conflict(x, y, family), names)
    if family.threshold is None and y.all():
        neuron = neuron._replace(threshold=0)
    return neuron if family.inhibitory is not None else _relaxed(x[~y], neuron)


def strictest(x: Array, y: Array, family: Family) -> Neuron:
    """The neuron that is silent most often, of those in the family that the rows of target 1 allow."""
    inhibitory, threshold = family
    firing = x[y]
    if inhibitory is None:
        inhibitory = ~np.logical_or.reduce(firing, axis=0)
    if threshold is None:
        threshold = int(firing.sum(axis=1).min(initial=x.shape[1] + 1))
    return Neuron(inhibitory, threshold)


def _relaxed(silent: Array, neuron: Neuron) -> Neuron:
    """The neuron with every inhibitory input made excitatory, one after another, that no row needs as its veto."""
    inhibitory = neuron.inhibitory.copy()
    reaching = silent[silent.sum(axis=1) >= neuron.threshold]
    vetoes = (reaching & inhibitory).sum(axis=1)
    for index in np.flatnonzero(inhibitory):
        if (vetoes > reaching[:, index]).all():
            vetoes -= reaching[:, index]
            inhibitory[index] = False
    return neuron._replace(inhibitory=inhibitory)


# ── why there is none ────────────────────────────────────────────────────────────────────────────────────────────


def conflict(x: Array, y: Array, family: Family) -> list[int]:
    """Indices of rows that no neuron of the family satisfies together, none of which can be left out.

    The table must be one that the family does not represent. Two equal rows with different targets come first; then
    a row of target 1 that the family rules out by itself; then the row of target 0 with the fewest active inputs
    that cannot be silenced, together with rows of target 1 that say why.
    """
    rows = _contradiction(x, y) or _suspects(x, y, family)
    for candidate in rows.copy():
        rest = [row for row in rows if row != candidate]
        if _wrong(x[rest], y[rest], family).any():
            rows = rest
    return rows


def _wrong(x: Array, y: Array, family: Family) -> Array:
    """Where (n,) the strictest neuron is wrong: nowhere, or the family does not represent the rows."""
    wrong: Array = strictest(x, y, family).answers(x) != y
    return wrong


def _contradiction(x: Array, y: Array) -> list[int]:
    """Two equal rows, the first of target 0 and the second of target 1; empty if there are none."""
    packed = np.packbits(x, axis=1)
    keys = packed.view(f"S{packed.shape[1]}").ravel()  # of one length: the zeros that S ignores at the end do no harm
    _, silent, firing = np.intersect1d(keys[~y], keys[y], return_indices=True)
    pairs = zip(np.flatnonzero(~y)[silent].tolist(), np.flatnonzero(y)[firing].tolist(), strict=True)
    return list(next(pairs, ()))


def _suspects(x: Array, y: Array, family: Family) -> list[int]:
    """Rows that cannot be satisfied together, some of which may not be needed for that."""
    wrong = np.flatnonzero(_wrong(x, y, family))
    if y[wrong].any():
        return [int(wrong[y[wrong]][0])]
    row = int(wrong[x[wrong].sum(axis=1).argmin()])
    return [row, *_reasons(x, y, family, row)]


def _reasons(x: Array, y: Array, family: Family, row: int) -> list[int]:
    """Rows of target 1 because of which `row`, of target 0, is neither vetoed nor below the threshold.

    Together they have each of its active inputs (a greedy cover), and the last has the fewest inputs active.
    """
    firing = np.flatnonzero(y)
    uncovered = x[row] if family.inhibitory is None else np.zeros_like(x[row])
    reasons = []
    while uncovered.any():
        covered = (x[firing] & uncovered).sum(axis=1)
        reasons.append(int(firing[covered.argmax()]))
        uncovered = uncovered & ~x[reasons[-1]]
    if family.threshold is None:
        reasons.append(int(firing[x[firing].sum(axis=1).argmin()]))
    return list(dict.fromkeys(reasons))


def _refusal(x: Array, y: Array, family: Family, rows: Sequence[int], names: Sequence[str]) -> NotRepresentable:
    told = [f"{_named(x[row], names)} -> {int(y[row])}" for row in rows[:SHOWN]]
    listed = "; ".join(told) + (f"; and {len(rows) - SHOWN} more rows" if len(rows) > SHOWN else "")
    if len(rows) == 2 and (x[rows[0]] == x[rows[1]]).all():
        detail = f"the same inputs have different targets: {listed}. Correct one of these rows, or leave one out"
    else:
        reason = _why_silent(x, family, rows[0]) if y[rows[0]] else _why_firing(x, y, family, rows)
        detail = (
            f"no single McCulloch-Pitts neuron of the kind asked for answers {listed}. {reason}. "
            f"A perceptron_network represents every boolean function of up to {LARGEST_INPUTS} inputs: choose it, "
            "or change these rows"
        )
    return NotRepresentable(detail, rows=rows)


def _named(row: Array, names: Sequence[str]) -> str:
    """The row as `x1=0, x2=1`; of more inputs than SHOWN, only those that are active."""
    if len(row) <= SHOWN:
        return ", ".join(f"{name}={int(value)}" for name, value in zip(names, row, strict=True))
    active = [f"{names[index]}=1" for index in np.flatnonzero(row).tolist()]
    more = [f"{len(active) - SHOWN} more inputs=1"] if len(active) > SHOWN else []
    return ", ".join([*active[:SHOWN], *more, "all others=0"])


def _why_silent(x: Array, family: Family, row: int) -> str:
    """Why every neuron of the family is silent for a row of target 1: it needs no other row to say so."""
    if family.inhibitory is not None and (x[row] & family.inhibitory).any():
        return "An input that is set inhibitory is active in this row of target 1, and vetoes it"
    return f"This row of target 1 has {x[row].sum()} inputs active: fewer than the threshold, {family.threshold}"


def _why_firing(x: Array, y: Array, family: Family, rows: Sequence[int]) -> str:
    """Why the row of target 0 among `rows` fires as soon as the others do."""
    row = next(row for row in rows if not y[row])
    if family.inhibitory is not None:
        veto = "No inhibitory input is active in the row of target 0"
    elif x[row].any():
        veto = "No input can veto the row of target 0: each that is active in it is active in a row of target 1 too"
    else:
        veto = "No input can veto the row of target 0: none is active in it"
    if family.threshold is not None:
        return f"{veto}. Its sum, {x[row].sum()}, reaches the threshold, {family.threshold}"
    least = min(int(x[other].sum()) for other in rows if y[other])
    return f"{veto}. Its sum, {x[row].sum()}, reaches any threshold that a row of target 1 reaches with {least}"
