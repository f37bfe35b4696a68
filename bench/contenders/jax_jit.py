"""JAX, jitted: one call per step, or one call per epoch with `lax.scan` over its batches."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import LEARNING_RATE, MOMENTUM, Workload, data

VERSION = f"JAX {jax.__version__}"


def train(epoch: Callable[..., Any], workload: Workload) -> Callable[[], Callable[[int], object]]:
    """Each start has new parameters; `epoch` trains on the batches of one order of the rows."""
    x, y = map(jnp.asarray, data(workload))
    if workload.outputs == 1:
        y = y[:, None].astype(jnp.float32)

    def start() -> Callable[[int], object]:
        rng = np.random.default_rng(0)
        parameters = [
            (jnp.asarray(rng.normal(0, fan_in**-0.5, (fan_in, fan_out)), jnp.float32), jnp.zeros(fan_out))
            for fan_in, fan_out in pairwise((workload.inputs, *workload.hidden, workload.outputs))
        ]
        state = parameters, jax.tree.map(jnp.zeros_like, parameters)
        return partial(_epochs, epoch, state, x, y, workload.batch_size, rng)

    return start


def _epochs(
    epoch: Callable[..., Any], state: Any, x: Any, y: Any, batch_size: int, rng: np.random.Generator, epochs: int
) -> None:
    for _ in range(epochs):
        state = epoch(state, x, y, rng.permutation(len(x)).astype(np.int32), batch_size)
    jax.block_until_ready(state)


def _loss(parameters: Any, x: Any, y: Any) -> Any:
    *hidden, (weight, bias) = parameters
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    logits = x @ weight + bias
    if y.ndim == 2:
        return jnp.mean(jnp.logaddexp(0, logits) - y * logits)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1))


def _step(state: Any, x: Any, y: Any, rows: Any) -> Any:
    parameters, velocity = state
    gradient = jax.grad(_loss)(parameters, x[rows], y[rows])
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v - LEARNING_RATE * g, velocity, gradient)
    return jax.tree.map(jnp.add, parameters, velocity), velocity


_compiled_step = jax.jit(_step, donate_argnums=0)


def _step_by_step(state: Any, x: Any, y: Any, order: Any, batch_size: int) -> Any:
    for start in range(0, len(order), batch_size):
        state = _compiled_step(state, x, y, order[start : start + batch_size])
    return state


@partial(jax.jit, donate_argnums=0, static_argnames="batch_size")
def _whole_epoch(state: Any, x: Any, y: Any, order: Any, batch_size: int) -> Any:
    full = len(order) // batch_size * batch_size
    batches = order[:full].reshape(-1, batch_size)
    state, _ = lax.scan(lambda state, rows: (_step(state, x, y, rows), None), state, batches)
    return _step(state, x, y, order[full:]) if full < len(order) else state


CONTENDERS = {
    "jax, a call per step": partial(train, _step_by_step),
    "jax, a call per epoch": partial(train, _whole_epoch),
}
