"""The steps of a trace in the order of the computation, each with its formula in LaTeX and its rule in words."""

from collections.abc import Iterator
from typing import NamedTuple

from backpropd import nn
from backpropd.learn.inspection.latex import ACTIVATION_LATEX, LOSS_LATEX, partial, where
from backpropd.learn.inspection.threshold_steps import neuron_steps
from backpropd.learn.inspection.trace_step import INPUT, SYMBOLS, Step, Symbols
from backpropd.learn.model import Model
from backpropd.nn.feedforward.normalization import EPSILON


def steps(model: Model) -> list[Step]:
    """Every step of the model's trace: forward, the loss, backward, the update.

    Matrices have a row for each row of data: the formulas are those of n rows, whose loss is their mean. In layer l of
    the formulas, from 1, is `layers.(l - 1)`; h^{(0)} is the input.
    """
    network = model.network.differentiable
    if network is None:
        return neuron_steps(model.spec.network.kind, len(model.network.activations), model.spec.network.outputs)
    layers = [_Layer(network, index) for index in range(len(network.spec.layers))]
    loss = _Loss(network, _scaling(model))
    forward = [step for layer in layers for step in layer.forward()]
    backward = [step for layer in reversed(layers) for step in layer.backward(loss)]
    return [INPUT, *forward, loss.value(), *backward, *_update(network)]


def _scaling(model: Model) -> str:
    """How y follows from the target in words; empty where it is the target itself, or a class."""
    offset, scale = model.target.offset, model.target.scale
    if model.target.labels is not None or (not any(offset) and all(each == 1 for each in scale)):
        return ""
    numbers = f", with the offset {offset[0]!r} and the scale {scale[0]!r}" if len(scale) == 1 else " of each column"
    return f"; y is the scaled target, y = (target - offset) / scale{numbers}"


class _Loss(NamedTuple):
    network: nn.Network
    scaling: str

    def value(self) -> Step:
        spec = self.network.spec
        formula = where(f"L = {LOSS_LATEX[spec.loss].value}", self._symbols())
        over = "the rows and outputs" if self.is_over_outputs else "the rows"
        rule = f"the loss is the {spec.loss}, averaged over {over}{self._targets_in_words()}"
        return Step(("loss",), self._of_output(formula), rule)

    def gradient(self) -> Step:
        """∂L/∂h of the output layer."""
        last = len(self.network.spec.layers)
        formula = f"{partial(Symbols(last).h)} = {LOSS_LATEX[self.network.spec.loss].gradient}"
        rule = f"the gradient at the output is the derivative of the {self.network.spec.loss} at it"
        rule += self._targets_in_words()
        return Step(("layers", last - 1, "gradients", "h"), self._of_output(where(formula, self._symbols())), rule)

    @property
    def is_over_outputs(self) -> bool:
        """Whether the loss is averaged over the outputs, too."""
        return "{nm}" in LOSS_LATEX[self.network.spec.loss].value

    @property
    def targets(self) -> str:
        """The symbol of the targets: t if they are smoothed."""
        return "t" if self.network.spec.loss_parameters.get("label_smoothing") else "y"

    def _targets_in_words(self) -> str:
        smoothed = ", with the smoothed targets t instead of y" if self.targets == "t" else ""
        return smoothed + self.scaling

    def fused_rule(self, activation: str) -> str:
        """∂L/∂a of the output layer in words."""
        count, words = ("(n m)", "for n rows and m outputs") if self.is_over_outputs else ("n", "for n rows")
        rule = f"loss and {activation} together have the gradient ∂L/∂a = (h - {self.targets}) / {count}, {words}"
        return rule + self._targets_in_words()

    def fused(self) -> str:
        """∂L/∂a of the output layer; empty unless the loss takes logits."""
        fused = LOSS_LATEX[self.network.spec.loss].fused
        return self._of_output(where(fused, self._symbols())) if fused else ""

    def _symbols(self) -> str:
        smoothing = self.network.spec.loss_parameters.get("label_smoothing", 0)
        if not smoothing:
            return LOSS_LATEX[self.network.spec.loss].symbols
        outputs = self.network.outputs if self.network.loss_function.takes_classes else 2
        return rf"@y = (1 - {smoothing:g})\, y + \frac{{{smoothing:g}}}{{{outputs}}}"

    def _of_output(self, formula: str) -> str:
        symbols, delta = Symbols(len(self.network.spec.layers)), getattr(self.network.loss_function, "delta", 1.0)
        formula = formula.replace("@delta", f"{delta:g}").replace("@y", self.targets)
        return formula.replace("@a", symbols.a).replace("@h", symbols.h)


class _Layer:
    def __init__(self, network: nn.Network, index: int) -> None:
        self.index, self.spec, self.symbols = index, network.spec.layers[index], Symbols(index + 1)
        self.is_last = index == len(network.spec.layers) - 1
        self.above = None if self.is_last else network.spec.layers[index + 1]
        self.scales_inputs = network.spec.input_scaling and index == 0
        self.below = "(h_below s)" if self.scales_inputs else "h_below"  # in rules
        self.latex = ACTIVATION_LATEX[self.spec.activation]

    def forward(self) -> Iterator[Step]:
        own, path = self.symbols, ("layers", self.index)
        below = rf"({own.below} \odot s)" if self.scales_inputs else own.below
        bias = f" + {own.of('bias')}" if self.spec.use_bias else ""
        total = "z" if self.spec.normalization else "a"
        scaled = "the input scale s and " if self.scales_inputs else ""
        words = f"multiply the activations below by {scaled}the weights" + (", and add the bias" if bias else "")
        what = "weighted sum before normalization" if self.spec.normalization else "pre-activation"
        formula = f"{own.value(total)} = {below} {own.of('weight')}{bias}"
        yield Step((*path, total), formula, f"the {what} {total} = {self.below} W{' + b' if bias else ''}: {words}")
        if self.spec.normalization:
            formula = rf"{own.a} = {own.of('scale')} \odot {self._normalized()} + {own.of('shift')}"
            rule = f"the pre-activation a is z normalized ({self.spec.normalization}), times the scale, plus the shift"
            yield Step((*path, "a"), formula, rule)
        formula = f"{own.h} = {self._own(self.latex.value)}"
        yield Step((*path, "h"), formula, f"the activation h = g(a), where g is {self.spec.activation}")

    def backward(self, loss: _Loss) -> Iterator[Step]:
        yield loss.gradient() if self.is_last else self._gradient_at_h()
        yield self._gradient_at_a(loss)
        path, own = ("layers", self.index, "gradients"), self.symbols
        below = "z" if self.spec.normalization else "a"
        if self.spec.normalization:
            yield from self._through_normalization()
        inputs = rf"({own.below} \odot s)" if self.scales_inputs else own.below
        formula = rf"{partial(own.of('weight'))} = ({inputs})^\top {partial(own.value(below))}"
        yield Step((*path, "weight"), formula, f"the gradient at the weights is ∂L/∂W = {self.below}ᵀ ∂L/∂{below}")
        if self.spec.use_bias:
            formula = rf"{partial(own.of('bias'))} = \sum_i {partial(own.value(below))}_{{i}}"
            yield Step((*path, "bias"), formula, f"the gradient at the bias is ∂L/∂{below}, summed over the rows")

    def _gradient_at_h(self) -> Step:
        assert self.above is not None  # noqa: S101 - for the type checker
        above, name = Symbols(self.index + 2), "z" if self.above.normalization else "a"
        formula = rf"{partial(self.symbols.h)} = {partial(above.value(name))} ({above.of('weight')})^\top"
        rule = f"the gradient at an activation is ∂L/∂h = ∂L/∂{name} Wᵀ, with {name} and W of the layer above"
        return Step(("layers", self.index, "gradients", "h"), formula, rule)

    def _gradient_at_a(self, loss: _Loss) -> Step:
        own, path = self.symbols, ("layers", self.index, "gradients", "a")
        at_a, at_h = partial(own.a), partial(own.h)
        if self.is_last and (fused := loss.fused()):
            return Step(path, f"{at_a} = {fused}", loss.fused_rule(self.spec.activation))
        if self.spec.activation == "softmax":
            formula = rf"{at_a} = {own.h} \odot ({at_h} - \sum_k {at_h}_{{k}}\, {own.h}_k)"
            return Step(path, formula, "the gradient at a is ∂L/∂a = h (∂L/∂h - Σ_k ∂L/∂h_k h_k), for softmax")
        slope = "" if self.latex.slope == "1" else rf" \odot {self._own(self.latex.slope)}"
        rule = f"the gradient at a is ∂L/∂a = ∂L/∂h g'(a), with the derivative of {self.spec.activation}"
        return Step(path, where(f"{at_a} = {at_h}{slope}", self._own(self.latex.symbols)), rule)

    def _through_normalization(self) -> Iterator[Step]:
        own, path = self.symbols, ("layers", self.index, "gradients")
        at_a, at_z, scale = partial(own.a), partial(own.value("z")), own.of("scale")
        root = rf"\sqrt{{{own.sigma}^2 + \epsilon}}"
        if self.spec.normalization == "batch":
            formula = rf"{at_z} = \frac{{{scale}}}{{{root}}} \odot {at_a}"
            rule = "the gradient at z is γ ∂L/∂a / √(variance + ε): running mean and variance are constants"
        else:
            mean = r"\mathrm{mean}"
            formula = rf"{at_z} = \frac{{g - {mean}(g) - \hat{{z}} \odot {mean}(g \odot \hat{{z}})}}{{{root}}}"
            formula = where(formula, rf"g = {scale} \odot {at_a},\; \hat{{z}} = {self._normalized(explained=False)}")
            rule = "the gradient at z passes through the mean and the variance of the row's units, too"
        yield Step((*path, "z"), formula, rule)
        formula = rf"{partial(scale)} = \sum_i ({at_a} \odot {self._normalized(explained=False)})_i"
        yield Step(
            (*path, "scale"), formula, "the gradient at the scale is ∂L/∂a times the normalized z, over the rows"
        )
        formula = rf"{partial(own.of('shift'))} = \sum_i {at_a}_{{i}}"
        yield Step((*path, "shift"), formula, "the gradient at the shift is ∂L/∂a, summed over the rows")

    def _normalized(self, *, explained: bool = True) -> str:
        own = self.symbols
        epsilon = rf"{EPSILON:.5f}" if explained else r"\epsilon"
        return rf"\frac{{{own.value('z')} - {own.mu}}}{{\sqrt{{{own.sigma}^2 + {epsilon}}}}}"

    def _own(self, formula: str) -> str:
        return formula.replace("@a", self.symbols.a).replace("@h", self.symbols.h)


def _update(network: nn.Network) -> Iterator[Step]:
    """One for each parameter by name."""
    for name in list(network.layout.views(network.layout.zeros("float64")[: network.parameters])):
        _, index, noun = name.split(".")
        symbol = Symbols(int(index) + 1).of(noun)
        rule = f"gradient descent changes the {SYMBOLS[noun].words} by -learning_rate times the gradient at it"
        yield Step(("update", name), rf"\Delta {symbol} = -\eta\, {partial(symbol)}", rule)
