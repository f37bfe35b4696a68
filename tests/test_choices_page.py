"""The tables of docs/choices.md are those that the declarations of the algorithms give."""

from pathlib import Path
from typing import Any, get_args

import annotated_types
import pytest

from backpropd import nn
from backpropd.learn.resolve.presets import PRESETS, Preset

PAGE = (Path(__file__).parents[1] / "docs" / "choices.md").read_text()
REGISTRIES = {
    "optimizer": nn.OPTIMIZERS,
    "schedule": nn.SCHEDULES,
    "initializer": nn.INITIALIZERS,
}
SCALINGS = {"standard": "mean 0, deviation 1", "symmetric": "[-1, 1]", "unit": "[0, 1]"}


def table(*rows: tuple[str, ...]) -> str:
    head, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *others])


def interval(kind: Any) -> str:
    """The bounds of an annotated number, as in ` in [0, 1)`."""
    low, high = "", "∞)"
    for bound in getattr(kind, "__metadata__", None) or [
        b for arg in get_args(kind) for b in getattr(arg, "__metadata__", ())
    ]:
        match bound:
            case annotated_types.Gt(gt):
                low = f"({number(gt)}"
            case annotated_types.Ge(ge):
                low = f"[{number(ge)}"
            case annotated_types.Lt(lt):
                high = f"{number(lt)})"
            case annotated_types.Le(le):
                high = f"{number(le)}]"
    return f" in {low}, {high}" if low else ""


def number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def parameter(name: str, kind: Any, default: Any) -> str:
    shown = {None: "null", False: "false", True: "true", ...: "required"}
    value = shown[default] if isinstance(default, bool) or default in (None, ...) else number(default)
    return f"`{name}` {value}{interval(kind)}"


def parameters(algorithm: type[Any]) -> str:
    named = nn.hyperparameters(algorithm).items()
    return "; ".join(parameter(name, *each) for name, each in named if name != "warmup_epochs") or "none"


def tasks(algorithm: Any) -> str:
    return ", ".join(task.replace("_", "-") for task in algorithm.tasks)


def test_the_page_has_the_facts_of_every_activation() -> None:
    rows = [
        (
            f"`{name}`",
            "yes" if each.hidden else "no",
            tasks(each),
            f"`{each.initializer}`",
            SCALINGS[each.target_scaling],
        )
        for name, each in nn.ACTIVATIONS.items()
    ]
    assert (
        table(("activation", "hidden layers", "as the output activation", "initializer", "targets scaled to"), *rows)
        in PAGE
    )


def test_the_page_has_the_facts_of_every_loss() -> None:
    rows = [
        (f"`{name}`", tasks(each), f"`{each.fused_with}`" if each.fused_with else "any of the task", parameters(each))
        for name, each in nn.LOSSES.items()
    ]
    assert table(("loss", "tasks", "output activation", "parameters"), *rows) in PAGE


@pytest.mark.parametrize("kind", REGISTRIES)
def test_the_page_has_every_parameter_with_its_default_and_its_bounds(kind: str) -> None:
    rows = [(f"`{name}`", parameters(each)) for name, each in REGISTRIES[kind].items()]
    assert table((kind, "parameters"), *rows) in PAGE


def test_the_page_has_the_values_of_both_presets() -> None:
    tasks = ("classification", "regression")
    columns = [preset_values(PRESETS[name](task, 100)) for name in ("fast", "best") for task in tasks]
    rows = [(f"`{name}`", *(column[name] for column in columns)) for name in columns[0]]
    assert table(("field", *(f"{name}, {task}" for name in ("fast", "best") for task in tasks)), *rows) in PAGE


def preset_values(preset: Preset) -> dict[str, str]:
    """The fields of a preset that do not depend on the rows, as the page writes them."""
    stopping = preset.early_stopping
    return {
        "hidden": f"{' '.join(map(str, preset.layers))} {preset.activation}",
        "optimizer": f"adam, rate {preset.optimizer.learning_rate:g}, beta2 {preset.optimizer.beta2:g}",  # type: ignore[attr-defined]
        "schedule": preset.schedule.name,
        "label_smoothing": f"{preset.label_smoothing:g}",
        "feature_scaling": preset.scaling,
        "epochs": str(preset.epochs),
        "early_stopping": f"{stopping.monitor}, {stopping.ties} of the best",
    }


def test_the_page_has_the_default_weight_decay() -> None:
    decays = {name: each.default_weight_decay for name, each in nn.OPTIMIZERS.items() if each.default_weight_decay}
    assert (
        f"| `weight_decay` | {', '.join(f'{value:g} for {name}' for name, value in decays.items())}, else 0 |" in PAGE
    )
