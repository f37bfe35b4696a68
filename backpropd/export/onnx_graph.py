"""The nodes and constants of an ONNX graph while it is built."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

ML_DOMAIN = "ai.onnx.ml"
INTERNAL = "backpropd/"  # before the names of what is neither input nor output


class Graph:
    """Collects nodes; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        """An array, or a number, of this dtype; texts as a list."""
        name = f"{INTERNAL}constant_{len(self.constants)}"
        array: NDArray[Any] = np.array(value, object if dtype is str else dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node of one output that is used, which is called `name` if that is given."""
        domain = ML_DOMAIN if op == "LabelEncoder" else ""
        made = name or f"{INTERNAL}{op.lower()}_{len(self.nodes)}"
        unused = [f"{made}_counts"] if op == "StringSplit" else []
        self.nodes.append(helper.make_node(op, list(inputs), [made, *unused], domain=domain, **attributes))
        return made

    def cast(self, value: str, dtype: Any, name: str = "") -> str:
        """A value as numbers of this NumPy dtype."""
        return self.add("Cast", value, name=name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
