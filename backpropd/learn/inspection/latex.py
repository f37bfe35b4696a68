r"""Activations and losses in LaTeX, and their derivatives.

`@a`, `@h` and `@y` stand for a layer's pre-activation, its activation and the targets; matrices have a row for each of
the n rows of data, and m columns at the output. [...] is 1 where the condition holds, else 0 (Iverson), and \odot
multiplies element by element.
"""

from typing import NamedTuple


class ActivationLatex(NamedTuple):
    """h = `value`, and dh/da = `slope`; `symbols` explains other letters in the slope."""

    value: str
    slope: str
    symbols: str = ""


class LossLatex(NamedTuple):
    """L = `value`, ∂L/∂h = `gradient`; and for a loss that takes logits also ∂L/∂a = `fused`."""

    value: str
    gradient: str
    fused: str = ""
    symbols: str = ""


SIGMOID = r"\sigma(x) = \frac{1}{1 + e^{-x}}"
NORMAL = r"\Phi \mathrm{\ and\ } \varphi \mathrm{\ of\ the\ standard\ normal\ distribution}"
SELU = r"\lambda = 1.0507,\; \alpha = 1.6733"

ACTIVATION_LATEX = {
    "linear": ActivationLatex("@a", "1"),
    "logistic": ActivationLatex(r"\frac{1}{1 + e^{-@a}}", r"@h \odot (1 - @h)"),
    "tanh": ActivationLatex(r"\tanh(@a)", "(1 - (@h)^2)"),
    "relu": ActivationLatex(r"\max(@a, 0)", "[@a > 0]"),
    "softmax": ActivationLatex(r"\frac{e^{@a}}{\sum_k e^{@a_k}}", ""),  # its derivative is not element by element
    "leaky_relu": ActivationLatex(r"\max(@a, 0.01\, @a)", r"([@a > 0] + 0.01\, [@a \leq 0])"),
    "elu": ActivationLatex(r"\max(@a, 0) + e^{\min(@a, 0)} - 1", r"e^{\min(@a, 0)}"),
    "selu": ActivationLatex(
        rf"\lambda (\max(@a, 0) + \alpha (e^{{\min(@a, 0)}} - 1)), \quad {SELU}",
        r"\lambda ([@a > 0] + \alpha\, e^{@a} [@a \leq 0])",
        SELU,
    ),
    "gelu": ActivationLatex(rf"@a \odot \Phi(@a), \quad {NORMAL}", r"(\Phi(@a) + @a \odot \varphi(@a))", NORMAL),
    "silu": ActivationLatex(
        rf"@a \odot \sigma(@a), \quad {SIGMOID}", r"(\sigma(@a) + @h \odot (1 - \sigma(@a)))", SIGMOID
    ),
    "mish": ActivationLatex(
        r"@a \odot \tanh(\ln(1 + e^{@a}))",
        r"(t + (1 - t^2) \odot @a \odot \sigma(@a))",
        rf"t = \tanh(\ln(1 + e^{{@a}})),\; {SIGMOID}",
    ),
    "softplus": ActivationLatex(r"\ln(1 + e^{@a})", r"\sigma(@a)", SIGMOID),
    "softsign": ActivationLatex(r"\frac{@a}{1 + |@a|}", r"\frac{1}{(1 + |@a|)^2}"),
    "exponential": ActivationLatex("e^{@a}", "@h"),
}

LOSS_LATEX = {
    "cross_entropy": LossLatex(
        r"-\frac{1}{n} \sum_{i,k} @y_{ik} \ln @h_{ik}",
        r"-\frac{1}{n} \frac{@y}{@h}",
        r"\frac{1}{n} (@h - @y)",
    ),
    "binary_cross_entropy": LossLatex(
        r"-\frac{1}{nm} \sum_{i,k} (@y_{ik} \ln @h_{ik} + (1 - @y_{ik}) \ln(1 - @h_{ik}))",
        r"\frac{1}{nm} \frac{@h - @y}{@h \odot (1 - @h)}",
        r"\frac{1}{nm} (@h - @y)",
    ),
    "squared_error": LossLatex(
        r"\frac{1}{nm} \sum_{i,k} (@h_{ik} - @y_{ik})^2",
        r"\frac{2}{nm} (@h - @y)",
    ),
    "absolute_error": LossLatex(
        r"\frac{1}{nm} \sum_{i,k} |@h_{ik} - @y_{ik}|",
        r"\frac{1}{nm} \mathrm{sign}(@h - @y)",
    ),
    "huber": LossLatex(
        r"\frac{1}{nm} \sum_{i,k} (c_{ik}\, r_{ik} - \frac{1}{2} c_{ik}^2)",
        r"\frac{1}{nm} \max(-\delta, \min(@h - @y, \delta))",
        symbols=r"r = |@h - @y|,\; c = \min(r, \delta),\; \delta = @delta",
    ),
    "poisson": LossLatex(
        r"\frac{1}{nm} \sum_{i,k} (@h_{ik} - @y_{ik}\, @a_{ik})",
        r"\frac{1}{nm} (1 - \frac{@y}{@h})",
        r"\frac{1}{nm} (@h - @y)",
    ),
}


def partial(symbol: str) -> str:
    """The gradient of the loss at this symbol."""
    return rf"\frac{{\partial L}}{{\partial {symbol}}}"


def where(formula: str, symbols: str) -> str:
    """The formula with an explanation of its symbols, if there is one."""
    return rf"{formula}, \quad {symbols}" if symbols else formula
