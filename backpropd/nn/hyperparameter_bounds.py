"""The bounds of hyper-parameters, as types for the fields that declare them, and a function that lists those fields.

An algorithm (optimizer, loss, schedule, initializer) is a frozen dataclass: its fields are its hyper-parameters, each
with bounds and a default. `nn` does not check the bounds: the API's schemas are made from these declarations.
"""

import dataclasses
from typing import Annotated, Any, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

Positive = Annotated[float, Gt(0), Le(1e6)]
NonNegative = Annotated[float, Ge(0), Le(1e6)]
Bounded = Annotated[float, Ge(-1e6), Le(1e6)]
Fraction = Annotated[float, Ge(0), Lt(1)]
OpenFraction = Annotated[float, Gt(0), Lt(1)]
UnitInterval = Annotated[float, Ge(0), Le(1)]
Epsilon = Annotated[float, Gt(0), Le(1)]
Tolerance = Annotated[float, Ge(0)]
Count = Annotated[int, Ge(1), Lt(2**31)]


def hyperparameters(algorithm: type[Any]) -> dict[str, tuple[Any, Any]]:
    """By name the annotated type and the default, `...` where there is none, of each field of a dataclass."""
    hints = get_type_hints(algorithm, include_extras=True)
    return {
        field.name: (hints[field.name], ... if field.default is dataclasses.MISSING else field.default)
        for field in dataclasses.fields(algorithm)
    }
