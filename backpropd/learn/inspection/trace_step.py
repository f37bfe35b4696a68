"""One step of a trace, and the symbols of a layer in the formulas of its steps."""

from typing import NamedTuple


class Step(NamedTuple):
    """A value of a trace: its path in the trace, its formula in LaTeX, and its rule in words."""

    path: tuple[str | int, ...]
    formula: str
    rule: str

    @property
    def name(self) -> str:
        """The path in one word, such as `layers.0.gradients.weight` or `update.layers.0.weight`."""
        return ".".join(map(str, self.path))


class Noun(NamedTuple):
    """The symbol and the name of a kind of parameter."""

    letter: str
    words: str


SYMBOLS = {
    "weight": Noun("W", "weights"),
    "bias": Noun("b", "bias"),
    "scale": Noun(r"\gamma", "scale"),
    "shift": Noun(r"\beta", "shift"),
    "input_scale": Noun("s", "input scale"),
}

INPUT = Step(
    ("input",), "h^{(0)} = x", "the input is the row as the model encodes it: standardized numbers, one-hot levels"
)


class Symbols(NamedTuple):
    """The symbols of layer `number`, from 1."""

    number: int

    def value(self, letter: str) -> str:
        """The value of this letter in this layer."""
        return f"{letter}^{{({self.number})}}"

    def of(self, noun: str) -> str:
        """The parameter of this noun."""
        return "s" if noun == "input_scale" else self.value(SYMBOLS[noun].letter)

    @property
    def a(self) -> str:
        """The pre-activation."""
        return self.value("a")

    @property
    def h(self) -> str:
        """The activation."""
        return self.value("h")

    @property
    def below(self) -> str:
        """The activation of the layer below, or the input."""
        return f"h^{{({self.number - 1})}}"

    @property
    def mu(self) -> str:
        """The mean of the normalization."""
        return rf"\mu_{{{self.number}}}"

    @property
    def sigma(self) -> str:
        """The deviation of the normalization."""
        return rf"\sigma_{{{self.number}}}"
