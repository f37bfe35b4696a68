"""What both sides start from: drawn by NumPy, so that the figures can be made, and compared, from the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def figures(name: str) -> dict[str, Any]:
    """What PyTorch made, by name: the file `name`.json beside this one."""
    found = json.loads(Path(__file__).with_name(f"{name}.json").read_text())
    assert found.pop("torch").startswith("2.13.0")
    return found


def preactivations() -> tuple[np.ndarray, np.ndarray]:
    """Pre-activations a (9, 5), kinks and far ends among them, and gradients at h of the same shape."""
    rng = np.random.default_rng(11)
    a = 3 * rng.standard_normal((9, 5))
    a[0] = [0.0, 1e-3, -1e-3, 30.0, -30.0]
    return a, rng.standard_normal((9, 5))
