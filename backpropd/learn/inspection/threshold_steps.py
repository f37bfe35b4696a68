"""The steps of a threshold neuron's trace, which has no gradients."""

from collections.abc import Iterator

from backpropd.learn.inspection.trace_step import INPUT, SYMBOLS, Step, Symbols


def neuron_steps(kind: str, layers: int, outputs: int) -> list[Step]:
    """Forward, the loss, and the update by the perceptron rule, which a McCulloch-Pitts neuron does not have."""
    steps = [INPUT]
    for index in range(layers):
        steps += _forward(index, kind, max(outputs, 1) if index == layers - 1 else 1)
    last = Symbols(layers)
    formula = rf"L = \frac{{1}}{{n}} \sum_i [{last.h}_i \neq y_i]"
    steps.append(Step(("loss",), formula, "the loss is the fraction of the rows whose output is wrong"))
    return steps if kind == "mcculloch_pitts" else [*steps, *_update(layers)]


def _forward(index: int, kind: str, outputs: int) -> Iterator[Step]:
    own, path = Symbols(index + 1), ("layers", index)
    coded = kind == "perceptron_network" and index == 0
    below = f"(2 {own.below} - 1)" if coded else own.below
    rule = "the pre-activation a = h_below W + b: multiply the values below by the weights, and add the bias"
    rule += ", with inputs 0 and 1 coded as -1 and 1" if coded else ""
    yield Step((*path, "a"), f"{own.a} = {below} {own.of('weight')} + {own.of('bias')}", rule)
    if outputs > 2:
        formula = rf"{own.h}_k = [k = \arg\max_j\, {own.a}_j]"
        yield Step((*path, "h"), formula, "the perceptron with the largest a fires, the first in a tie")
    else:
        yield Step((*path, "h"), rf"{own.h} = [{own.a} \geq 0]", "the step activation: h is 1 where a >= 0, else 0")


def _update(layers: int) -> Iterator[Step]:
    """The last layer learns; a hidden layer of perceptrons is fixed."""
    for index in range(layers):
        own = Symbols(index + 1)
        for noun in ("weight", "bias"):
            change = rf"\eta\, (y - {own.h})"
            change = rf"({own.below})^\top\, {change}" if noun == "weight" else change
            rule = f"the perceptron rule, row by row: the {SYMBOLS[noun].words} change by learning_rate "
            rule += "x (y - h)" if noun == "weight" else "(y - h)"
            if index < layers - 1:
                change, rule = "0", "the hidden perceptrons are fixed: nothing changes"
            yield Step(("update", f"layers.{index}.{noun}"), rf"\Delta {own.of(noun)} = {change}", rule)
