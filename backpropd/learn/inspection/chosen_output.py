"""The output that an inspection is about: that of a class, or of a target."""

from __future__ import annotations

from typing import Any

from backpropd import errors
from backpropd.learn.model import Model
from backpropd.tabular.table import class_label

POINTER = "/class"


def output_names(model: Model) -> list[str]:
    """What a model's predictions have a number for: the classes, or the targets of a regression."""
    return model.classes or list(model.spec.target)


def chosen_output(model: Model, requested: Any) -> int | None:
    """The index in `output_names` of what is requested: a class, or one of several targets.

    None if nothing is requested of a model that has classes. Raises `errors.Invalid`, also where a regression has
    several targets and none is requested.
    """
    names = output_names(model)
    listed = ", ".join(names[:20])
    if requested is None:
        if model.classes is None and len(names) > 1:
            detail = f"the model has several targets: name one of them as class: {listed}"
            raise errors.Invalid(detail, pointer=POINTER)
        return 0 if model.classes is None else None
    label = model.target.label_of(class_label(requested))
    if label not in names:
        what = "targets" if model.target.labels is None else "classes"
        raise errors.Invalid(f"the model has no {label[:100]!r}; its {what} are: {listed}", pointer=POINTER)
    return names.index(label)
