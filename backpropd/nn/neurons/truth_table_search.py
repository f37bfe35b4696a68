"""The search for a McCulloch-Pitts neuron that represents a truth table, or for rows that no neuron can represent.

A neuron that no active input vetoes sums all the active inputs of a row, for they are all excitatory. So it
answers 1 exactly where no inhibitory input is active and at least `threshold` inputs are: which inputs are
inhibitory does not change the sum of a row that gets as far as the threshold. A row of target 1 then forbids two
things and nothing else: that an input active in it is inhibitory, and that the threshold exceeds the number of its
active inputs. Of all the neurons that the rows of target 1 allow, the strictest (every allowed input inhibitory, the
highest threshold) is silent wherever any of them is: it represents the table, or none does.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backpropd.errors import NotRepresentable
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array
from backpropd.nn.neurons.perceptron_network import MAX_INPUTS

NETWORK_ADVICE = f"A perceptron_network represents every boolean function of up to {MAX_INPUTS} inputs: choose it"
MAX_LISTED = 20  # rows of a conflict, and inputs of a row, in a message


class SearchSpace(NamedTuple):
    """The neurons to search: which inputs are inhibitory (inputs,), and the threshold; None is searched."""

    inhibitory: Array | None
    threshold: int | None


class ThresholdGate(NamedTuple):
    """One McCulloch-Pitts neuron: whether each input is inhibitory (inputs,), and the threshold."""

    inhibitory: Array
    threshold: int

    def answers(self, x: Array) -> Array:
        """The output (n,) for rows x (n, inputs): no inhibitory input is active, and `threshold` inputs are."""
        vetoed = np.logical_or.reduce(x & self.inhibitory, axis=1)
        return np.asarray(~vetoed & (x.sum(axis=1) >= self.threshold))


def represent(
    x: Array, y: Array, space: SearchSpace, names: Sequence[str], interrupt: Sequence[int] | Array = (0,)
) -> ThresholdGate:
    """The neuron in the search space that answers each of the rows x (n, inputs) with its target y (n,).

    Of several it is the one with the highest threshold (but 0 where the target is always 1) and, for that, no
    inhibitory input that could as well be excitatory; these are searched until `TIME_IS_UP`. Exact, in time linear in
    the rows; `names` (inputs,) are for the message. Raises `NotRepresentable`, with rows that cannot be satisfied
    together, if there is none.
    """
    neuron = strictest(x, y, space)
    if (neuron.answers(x) != y).any():
        raise _error(x, y, space, conflict(x, y, space), names)
    if space.threshold is None and y.all():
        neuron = neuron._replace(threshold=0)
    return neuron if space.inhibitory is not None else _relaxed(x[~y], neuron, interrupt)


def strictest(x: Array, y: Array, space: SearchSpace) -> ThresholdGate:
    """The neuron that answers 0 most often, of those in the search space that the rows of target 1 allow."""
    inhibitory, threshold = space
    firing = x[y]
    if inhibitory is None:
        inhibitory = ~np.logical_or.reduce(firing, axis=0)
    if threshold is None:
        threshold = int(firing.sum(axis=1).min(initial=x.shape[1] + 1))
    return ThresholdGate(inhibitory, threshold)


def _relaxed(silent: Array, neuron: ThresholdGate, interrupt: Sequence[int] | Array) -> ThresholdGate:
    """The neuron with every inhibitory input made excitatory, one after another, that no row needs as its veto."""
    inhibitory = neuron.inhibitory.copy()
    reaching = silent[silent.sum(axis=1) >= neuron.threshold]
    vetoes = (reaching & inhibitory).sum(axis=1)
    for index in np.flatnonzero(inhibitory):
        if interrupt[0] == TIME_IS_UP:
            break
        if (vetoes > reaching[:, index]).all():
            vetoes -= reaching[:, index]
            inhibitory[index] = False
    return neuron._replace(inhibitory=inhibitory)


def conflict(x: Array, y: Array, space: SearchSpace) -> list[int]:
    """A minimal set of rows, by index, that no neuron in the search space answers correctly.

    The table must be one that no neuron in the space represents. Two equal rows with different targets come
    first; then a row of target 1 that no neuron in the space answers correctly; then the row of target 0 with the
    fewest active inputs that always fires, together with the rows of target 1 that cause it.
    """
    rows = _contradiction(x, y) or _suspects(x, y, space)
    for candidate in rows.copy():
        rest = [row for row in rows if row != candidate]
        if _wrong(x[rest], y[rest], space).any():
            rows = rest
    return rows


def _wrong(x: Array, y: Array, space: SearchSpace) -> Array:
    """The rows (n,) where the strictest neuron is wrong; if there are any, no neuron represents the table."""
    return np.asarray(strictest(x, y, space).answers(x) != y)


def _contradiction(x: Array, y: Array) -> list[int]:
    """Two equal rows, the first of target 0 and the second of target 1; empty if there are none."""
    packed = np.packbits(x, axis=1)
    keys = packed.view(f"S{packed.shape[1]}").ravel()  # all of one length, so that ignoring trailing zeros is safe
    _, silent, firing = np.intersect1d(keys[~y], keys[y], return_indices=True)
    pairs = zip(np.flatnonzero(~y)[silent].tolist(), np.flatnonzero(y)[firing].tolist(), strict=True)
    return list(next(pairs, ()))


def _suspects(x: Array, y: Array, space: SearchSpace) -> list[int]:
    """Rows that no neuron answers correctly together; some may be redundant."""
    wrong = np.flatnonzero(_wrong(x, y, space))
    if y[wrong].any():
        return [int(wrong[y[wrong]][0])]
    row = int(wrong[x[wrong].sum(axis=1).argmin()])
    return [row, *_reasons(x, y, space, row)]


def _reasons(x: Array, y: Array, space: SearchSpace, row: int) -> list[int]:
    """The rows of target 1 that keep `row`, of target 0, from being vetoed or below the threshold.

    Together they have each of its active inputs (a greedy cover), and the last has the fewest inputs active.
    """
    firing = np.flatnonzero(y)
    uncovered = x[row] if space.inhibitory is None else np.zeros_like(x[row])
    reasons = []
    while uncovered.any():
        covered = (x[firing] & uncovered).sum(axis=1)
        reasons.append(int(firing[covered.argmax()]))
        uncovered = uncovered & ~x[reasons[-1]]
    if space.threshold is None:
        reasons.append(int(firing[x[firing].sum(axis=1).argmin()]))
    return list(dict.fromkeys(reasons))


def _error(x: Array, y: Array, space: SearchSpace, rows: Sequence[int], names: Sequence[str]) -> NotRepresentable:
    shown = [f"{_named(x[row], names)} -> {int(y[row])}" for row in rows[:MAX_LISTED]]
    listed = "; ".join(shown) + (f"; and {len(rows) - MAX_LISTED} more rows" if len(rows) > MAX_LISTED else "")
    if len(rows) == 2 and (x[rows[0]] == x[rows[1]]).all():
        detail = f"the same inputs have different targets: {listed}. Correct one of these rows, or leave one out"
    else:
        reason = _why_silent(x[rows[0]], space) if y[rows[0]] else _why_firing(x, y, space, rows)
        advice = NETWORK_ADVICE if x.shape[1] <= MAX_INPUTS else "Use a feedforward network"
        what = "no single McCulloch-Pitts neuron of the requested kind"
        detail = f"{what} answers {listed}. {reason}. {advice}, or change these rows"
    return NotRepresentable(detail, rows=rows)


def _named(row: Array, names: Sequence[str]) -> str:
    """The row as `x1=0, x2=1`; of more inputs than MAX_LISTED, only those that are active."""
    if len(row) <= MAX_LISTED:
        return ", ".join(f"{name}={int(value)}" for name, value in zip(names, row, strict=True))
    active = [f"{names[index]}=1" for index in np.flatnonzero(row).tolist()]
    more = [f"{len(active) - MAX_LISTED} more inputs=1"] if len(active) > MAX_LISTED else []
    return ", ".join([*active[:MAX_LISTED], *more, "all others=0"])


def _why_silent(row: Array, space: SearchSpace) -> str:
    """Why every neuron in the search space answers 0 for this row of target 1."""
    if space.inhibitory is not None and (row & space.inhibitory).any():
        return "An input that is set inhibitory is active in this row of target 1, and vetoes it"
    return f"This row of target 1 has {row.sum()} inputs active: fewer than the threshold, {space.threshold}"


def _why_firing(x: Array, y: Array, space: SearchSpace, rows: Sequence[int]) -> str:
    """Why every neuron that fires for the other rows fires for the row of target 0 as well."""
    row = next(row for row in rows if not y[row])
    if space.inhibitory is not None:
        veto = "No inhibitory input is active in the row of target 0"
    elif x[row].any():
        veto = "No input can veto the row of target 0: each that is active in it is active in a row of target 1 too"
    else:
        veto = "No input can veto the row of target 0: none is active in it"
    if space.threshold is not None:
        return f"{veto}. Its sum, {x[row].sum()}, reaches the threshold, {space.threshold}"
    lowest = min(int(x[other].sum()) for other in rows if y[other])
    return f"{veto}. Its sum, {x[row].sum()}, reaches any threshold that a row of target 1 reaches with {lowest}"
