"""Arrays as nested lists for JSON, which has no number that is not finite."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def nested_lists(numbers: ArrayLike | None) -> Any:
    """Nested lists, or a single number, with None in place of NaN and the infinities; None for None."""
    array = np.asarray(numbers, np.float64)
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return values.tolist()
