"""The mean of several networks as one network: their hidden layers stand side by side, without weights between them."""

from collections.abc import Mapping, Sequence

import numpy as np

from backpropd.nn.layout import Array


def side_by_side(members: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The parameters of the network whose output layer's pre-activation is the mean of that of the members, by name.

    The members have the same layers, none of them normalized. Input scales become factors of the first weights, and 1.
    """
    output = max(int(name.split(".")[1]) for name in members[0])
    return {name: _merged(name, members, output) for name in members[0]}


def _merged(name: str, members: Sequence[Mapping[str, Array]], output: int) -> Array:
    index, noun = int(name.split(".")[1]), name.rpartition(".")[2]
    parts = [member[name] for member in members]
    if noun == "input_scale":
        return np.ones_like(parts[0])
    if noun == "weight" and index == 0 and "layers.0.input_scale" in members[0]:
        parts = [member["layers.0.input_scale"][:, None] * part for member, part in zip(members, parts, strict=True)]
    if index == output:
        merged = np.concatenate(parts) / len(parts) if noun == "weight" and index else np.mean(parts, axis=0)
    elif noun == "weight" and index:
        merged = _block_diagonal(parts)
    else:
        merged = np.concatenate(parts, axis=-1)
    return np.ascontiguousarray(merged, members[0][name].dtype)


def _block_diagonal(blocks: Sequence[Array]) -> Array:
    """The matrix with these blocks (rows, columns), all of the same shape, on its diagonal."""
    rows, columns = blocks[0].shape
    merged = np.zeros((len(blocks), rows, len(blocks), columns))
    for index, block in enumerate(blocks):
        merged[index, :, index] = block
    return merged.reshape(len(blocks) * rows, len(blocks) * columns)
