"""Forward pass and backpropagation through all layers, compiled: the twin of `nn.feedforward.network`.

A batch is (units, lanes), see `nn.kernels.arguments`; theta and its gradient are flat, at the offsets of LAYER.
"""

from typing import Any

from backpropd.nn.kernels.activations import activate, differentiate
from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.gemm import gemm
from backpropd.nn.kernels.normalization import denormalize, normalize

LOOP_UP_TO = 384  # multiplications that a plain loop does as fast as `gemm`, see `python -m bench.products`
LOOP_UNITS = 2  # units of a layer, however many inputs it has, that a plain loop computes faster


@kernel_function
def forward(
    layers: Any, theta: Any, x: Any, values: Any, lanes: int, rows: int, scratch: Any, packed: Any, rng: Any,
    training: bool,
) -> None:  # fmt: skip
    """From the inputs x (inputs, lanes) to every layer's a and h; in training with batch statistics and dropout."""
    h_below = x
    for k in range(layers.size):
        layer = layers[k]
        size = layer.fan_out * lanes
        a, h = values[layer.a : layer.a + size], values[layer.h : layer.h + size]
        if layer.input_scale >= 0:
            scaled = values[layer.inputs : layer.inputs + layer.fan_in * lanes]
            scale_inputs(theta[layer.input_scale : layer.input_scale + layer.fan_in], x, scaled, lanes)
            h_below = scaled
        _preactivate(layer, theta, h_below, a, lanes, packed)
        if layer.normalization:
            normalize(layer, theta, a, values, lanes, rows, scratch, training)
        activate(layer.activation, a, h, lanes, scratch)
        h_below = h
        if training and layer.dropout > 0:
            h_below = values[layer.output : layer.output + size]
            _drop_out(layer.dropout, h, values[layer.mask : layer.mask + size], h_below, lanes, rows, rng)


@kernel_function
def backward(
    layers: Any, theta: Any, x: Any, values: Any, grad_out: Any, grad_in: Any, gradient: Any, lanes: int, rows: int,
    scratch: Any, packed: Any,
) -> None:  # fmt: skip
    """Stages two to four of backpropagation: from ∂L/∂a of the output layer in `grad_out` to the gradient of theta."""
    for k in range(layers.size - 1, -1, -1):
        layer = layers[k]
        grad_a = grad_out[: layer.fan_out * lanes]
        if layer.normalization:
            denormalize(layer, theta, gradient, grad_a, values, lanes, rows, scratch)
        if k == 0:
            if layer.input_scale >= 0:
                inputs = values[layer.inputs : layer.inputs + layer.fan_in * lanes]
                _parameter_gradients(layer, inputs, grad_a, gradient, lanes, packed)
                grad_inputs = grad_in[: layer.fan_in * lanes]
                _input_gradient(layer, theta, grad_a, grad_inputs, lanes, packed)
                grad_scale = gradient[layer.input_scale : layer.input_scale + layer.fan_in]
                _input_scale_gradient(x, grad_inputs, grad_scale, lanes)
            else:
                _parameter_gradients(layer, x, grad_a, gradient, lanes, packed)
            return
        below = layers[k - 1]
        size = below.fan_out * lanes
        _parameter_gradients(layer, values[below.output : below.output + size], grad_a, gradient, lanes, packed)
        grad_h = grad_in[:size]
        _input_gradient(layer, theta, grad_a, grad_h, lanes, packed)
        if below.dropout > 0:
            mask = values[below.mask : below.mask + size]
            for i in range(size):
                grad_h[i] *= mask[i]
        a, h = values[below.a : below.a + size], values[below.h : below.h + size]
        differentiate(below.activation, a, h, grad_h, lanes, scratch)
        grad_out, grad_in = grad_in, grad_out


@kernel_function
def scale_inputs(scale: Any, x: Any, scaled: Any, lanes: int) -> None:
    """scaled = s x: (inputs,) times (inputs, lanes)."""
    for k in range(scale.size):
        factor = scale[k]
        for i in range(k * lanes, (k + 1) * lanes):
            scaled[i] = factor * x[i]


@kernel_function
def _input_scale_gradient(x: Any, grad_inputs: Any, grad_scale: Any, lanes: int) -> None:
    """∂L/∂s_k: the sum of x_k times the gradient at the scaled input, over the lanes."""
    for k in range(grad_scale.size):
        total = x.dtype.type(0)
        for i in range(k * lanes, (k + 1) * lanes):
            total += x[i] * grad_inputs[i]
        grad_scale[k] = total


@kernel_function
def _uses_gemm(layer: Any, lanes: int) -> bool:
    """Whether `gemm` computes the layer's products faster than a plain loop."""
    return bool(layer.fan_out > LOOP_UNITS and layer.fan_in * layer.fan_out * lanes > LOOP_UP_TO)


@kernel_function
def _preactivate(layer: Any, theta: Any, h_below: Any, a: Any, lanes: int, packed: Any) -> None:
    """a = Wᵀ h_below + b: (fan_in, fan_out)ᵀ @ (fan_in, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    for j in range(fan_out):
        a[j * lanes : (j + 1) * lanes] = theta[layer.bias + j] if layer.bias >= 0 else theta.dtype.type(0)
    if _uses_gemm(layer, lanes):
        gemm(weight, h_below, a, fan_out, lanes, fan_in, True, False, True, packed)
        return
    for j in range(fan_out):
        for k in range(fan_in):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                a[j * lanes + i] += w * h_below[k * lanes + i]


@kernel_function
def _parameter_gradients(layer: Any, h_below: Any, grad_a: Any, gradient: Any, lanes: int, packed: Any) -> None:
    """∂L/∂W = h_below ∂L/∂aᵀ: (fan_in, lanes) @ (fan_out, lanes)ᵀ, and ∂L/∂b: the sum of ∂L/∂a over the lanes."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    grad_weight = gradient[layer.weight : layer.weight + fan_in * fan_out]
    if _uses_gemm(layer, lanes):
        gemm(h_below, grad_a, grad_weight, fan_in, fan_out, lanes, False, True, False, packed)
    else:
        for k in range(fan_in):
            for j in range(fan_out):
                total = grad_a.dtype.type(0)
                for i in range(lanes):
                    total += h_below[k * lanes + i] * grad_a[j * lanes + i]
                grad_weight[k * fan_out + j] = total
    if layer.bias >= 0:
        for j in range(fan_out):
            total = grad_a.dtype.type(0)
            for i in range(lanes):
                total += grad_a[j * lanes + i]
            gradient[layer.bias + j] = total


@kernel_function
def _input_gradient(layer: Any, theta: Any, grad_a: Any, grad_h: Any, lanes: int, packed: Any) -> None:
    """∂L/∂h_below = W ∂L/∂a: (fan_in, fan_out) @ (fan_out, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    if _uses_gemm(layer, lanes):
        gemm(weight, grad_a, grad_h, fan_in, lanes, fan_out, False, False, False, packed)
        return
    for k in range(fan_in):
        grad_h[k * lanes : (k + 1) * lanes] = theta.dtype.type(0)
        for j in range(fan_out):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                grad_h[k * lanes + i] += w * grad_a[j * lanes + i]


@kernel_function
def _drop_out(rate: float, h: Any, mask: Any, output: Any, lanes: int, rows: int, rng: Any) -> None:
    """output = mask · h, with a mask of zeros and 1 / (1 - rate), drawn row by row as the NumPy engine draws it."""
    scale = h.dtype.type(1 / (1 - rate))
    units = h.size // lanes
    for i in range(rows):
        for j in range(units):
            mask[j * lanes + i] = h.dtype.type(0) if rng.random() < rate else scale
    for i in range(h.size):
        output[i] = h[i] * mask[i]
