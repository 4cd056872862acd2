"""From a torch decoder to what a page can run: a list of layers and the bytes of their weights.

The bytes are read by ``static/network.js``, layer kind by layer kind; ``unpack`` is the same
reading in Python, so that a test can bound what the smaller numbers cost. A new kind of layer
is one entry in ``KINDS`` here and one in ``LAYERS`` there.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aecore import checks

DTYPES = ("float16", "int8")


@dataclass(frozen=True)
class Packed:
    """A network as data.

    ``layers`` is JSON: one dictionary a layer, with its ``kind`` and, for a tensor, its shape,
    its type and its offset in ``data``. ``inputs`` and ``outputs`` are the sizes of one example.
    """

    layers: list[dict[str, Any]]
    data: bytes
    inputs: int
    outputs: int

    @property
    def image(self) -> tuple[int, ...] | None:
        """(C, H, W) if the network returns images; None if it returns vectors."""
        sized = next(layer for layer in reversed(self.layers) if "inputs" in layer)
        to = tuple(sized.get("to", ()))
        return to if len(to) == 3 else None


class _Writer:
    """Lays tensors one after the other, each aligned to four bytes."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.data = bytearray()

    def tensor(self, name: str, value: Tensor) -> dict[str, Any]:
        """Append a weight: float16, or int8 with one float32 scale for each output."""
        checks.tensor(name, value)
        array = value.detach().cpu().float().numpy()
        entry: dict[str, Any] = {"shape": list(array.shape)}
        if self.dtype == "int8" and array.ndim > 1:
            rows = array.reshape(len(array), -1)
            scales = np.maximum(np.abs(rows).max(axis=1), 1e-12) / 127
            entry |= {"dtype": "int8", "scales": self._append(scales.astype("<f4"))}
            entry["offset"] = self._append(np.rint(rows / scales[:, None]).astype("i1"))
            return entry
        # biases are few: even in an int8 network they stay at half precision
        if np.abs(array).max() > np.finfo(np.float16).max:
            raise ValueError(f"{name} must fit into float16 (at most 65504), got {array.max():g}")
        return entry | {"dtype": "float16", "offset": self._append(array.astype("<f2"))}

    def _append(self, array: np.ndarray[Any, Any]) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        offset = len(self.data)
        self.data += array.tobytes()
        return offset


# ---- layer by layer: from the shape that a layer reads (None before the first that says one) to
# its entry and the shape that it returns

Shape = tuple[int, ...]
Described = tuple[dict[str, Any], Shape | None]


def _linear(name: str, layer: nn.Linear, shape: Shape | None, write: _Writer) -> Described:
    _expect(name, (layer.in_features,), shape)
    entry = {"inputs": layer.in_features, "outputs": layer.out_features}
    return entry | _weights(name, layer, write), (layer.out_features,)


def _convolution(name: str, layer: Any, shape: Shape | None, write: _Writer) -> Described:
    _, height, width = _image(name, shape)
    _expect(name, (layer.in_channels, height, width), shape)
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise ValueError(f"{name} must be padded by a number of zeros, got {layer}")
    if layer.groups != 1 or set(layer.dilation) != {1}:
        raise ValueError(f"{name} must have one group and no dilation, got {layer}")
    options = {field: list(getattr(layer, field)) for field in ("stride", "padding")}
    if isinstance(layer, nn.ConvTranspose2d):
        options["output_padding"] = list(layer.output_padding)
    with torch.no_grad():  # torch knows the size of what comes out
        after = layer(layer.weight.new_zeros(1, layer.in_channels, height, width)).shape[1:]
    entry = {"kernel": list(layer.kernel_size)} | options | _weights(name, layer, write)
    return _between(shape, after) | entry, tuple(after)


def _upsample(name: str, layer: nn.Upsample, shape: Shape | None, write: _Writer) -> Described:
    channels, height, width = _image(name, shape)
    factor: Any = layer.scale_factor
    down, right = factor if isinstance(factor, tuple) else (factor, factor)
    if layer.mode != "nearest" or not all(value and value % 1 == 0 for value in (down, right)):
        raise ValueError(f"{name} must repeat pixels a whole number of times, got {layer}")
    after = (channels, height * int(down), width * int(right))
    return _between(shape, after) | {"factor": [int(down), int(right)]}, after


def _shuffle(name: str, layer: nn.PixelShuffle, shape: Shape | None, write: _Writer) -> Described:
    channels, height, width = _image(name, shape)
    factor = layer.upscale_factor
    if channels % factor**2:
        raise ValueError(f"{name} must be given a multiple of {factor**2} channels, got {channels}")
    after = (channels // factor**2, height * factor, width * factor)
    return _between(shape, after) | {"factor": factor}, after


def _norm(name: str, layer: nn.BatchNorm2d, shape: Shape | None, write: _Writer) -> Described:
    channels = _image(name, shape)[0]
    mean, variance = layer.running_mean, layer.running_var
    if layer.training or mean is None or variance is None:
        raise ValueError(f"{name} must be in evaluation mode with statistics, got {layer}")
    if channels != layer.num_features:
        raise ValueError(f"{name} must be given {layer.num_features} channels, got {channels}")
    # what it does then is one multiplication and one addition a channel
    gain = (variance + layer.eps).rsqrt()
    gain = gain if layer.weight is None else gain * layer.weight
    shift = -mean * gain if layer.bias is None else layer.bias - mean * gain
    return {
        "weight": write.tensor(f"{name}.weight", gain),
        "bias": write.tensor(f"{name}.bias", shift),
    }, shape


def _unflatten(name: str, layer: nn.Unflatten, shape: Shape | None, write: _Writer) -> Described:
    after: Any = tuple(layer.unflattened_size)  # torch also has names for dimensions
    if layer.dim != 1 or len(after) != 3 or min(after) < 1:
        raise ValueError(f"{name} must make images, as Unflatten(1, (C, H, W)), got {layer}")
    _expect(name, (math.prod(after),), shape)
    return _between((math.prod(after),), after), after


def _flatten(name: str, layer: nn.Flatten, shape: Shape | None, write: _Writer) -> Described:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise ValueError(f"{name} must leave only the batch, as Flatten(1), got {layer}")
    after = (math.prod(_image(name, shape)),)
    return _between(shape, after), after


def _softplus(name: str, layer: nn.Softplus, shape: Shape | None, write: _Writer) -> Described:
    if (layer.beta, layer.threshold) != (1, 20):
        raise ValueError(f"{name} must be a Softplus with beta 1 and threshold 20, got {layer}")
    return {}, shape


def _bare(name: str, layer: nn.Module, shape: Shape | None, write: _Writer) -> Described:
    return {}, shape


def _weights(name: str, layer: Any, write: _Writer) -> dict[str, Any]:
    # as torch has them: Linear (outputs, inputs), convolution (outputs, inputs, kernel),
    # transposed convolution (inputs, outputs, kernel), bias (outputs,)
    return {
        field: write.tensor(f"{name}.{field}", value) for field, value in layer.named_parameters()
    }


def _between(before: Any, after: Any) -> dict[str, Any]:
    sizes = {"inputs": math.prod(before), "outputs": math.prod(after)}
    return sizes | {"from": list(before), "to": list(after)}


def _expect(name: str, wanted: Shape, shape: Shape | None) -> None:
    if shape is not None and shape != wanted:
        raise ValueError(f"{name} must be given {_words(wanted)}, got {_words(shape)}")


def _image(name: str, shape: Shape | None) -> Shape:
    if shape is None or len(shape) != 3:
        got = "nothing that says a shape" if shape is None else _words(shape)
        raise ValueError(
            f"{name} must be given images, as after Unflatten(1, (C, H, W)), got {got}"
        )
    return shape


def _words(shape: Shape) -> str:
    return f"{shape[0]} values" if len(shape) == 1 else f"images of shape {shape}"


# exact types, not isinstance: a subclass may compute something else
KINDS: dict[type[nn.Module], tuple[str, Callable[[str, Any, Shape | None, _Writer], Described]]] = {
    nn.Linear: ("linear", _linear),
    nn.Conv2d: ("convolution", _convolution),
    nn.ConvTranspose2d: ("transposed", _convolution),
    nn.Upsample: ("upsample", _upsample),
    nn.PixelShuffle: ("shuffle", _shuffle),
    nn.BatchNorm2d: ("affine", _norm),
    nn.Unflatten: ("unflatten", _unflatten),
    nn.Flatten: ("flatten", _flatten),
    nn.ReLU: ("relu", _bare),
    nn.Sigmoid: ("sigmoid", _bare),
    nn.SiLU: ("silu", _bare),
    nn.Softplus: ("softplus", _softplus),
    nn.Tanh: ("tanh", _bare),
}


def pack(module: nn.Module, dtype: str = "float16") -> Packed:
    """Turn a (nested) ``nn.Sequential`` of the layers in ``KINDS`` into data for the page.

    The network reads vectors; ``Unflatten(1, (C, H, W))`` makes images of them for convolutions.

    ``dtype`` is how weights are stored. On decoders of digits trained from a free 2-D code,
    ``"float16"`` differs from torch by about 0.002 in the worst pixel after a sigmoid;
    ``"int8"``, at half the bytes, by 0.002 on average but 0.1 in the worst: its error grows with
    the activations, so it suits decoders whose codes stay near the origin.
    Raises ``TypeError`` for a layer of another kind, naming it, and ``ValueError`` for weights
    that are not finite and for layers that do not fit each other.
    """
    checks.instance("module", module, nn.Module)
    checks.choice("dtype", dtype, DTYPES)
    write = _Writer(dtype)
    layers: list[dict[str, Any]] = []
    shape: Shape | None = None
    for name, layer in _each("module", module):
        if type(layer) not in KINDS:
            known = ", ".join(kind.__name__ for kind in KINDS)
            raise TypeError(f"{name} must be one of {known}, got {type(layer).__name__}")
        kind, describe = KINDS[type(layer)]
        entry, shape = describe(name, layer, shape, write)
        layers.append({"kind": kind, **entry})

    if not any("weight" in layer for layer in layers) or shape is None:
        raise ValueError("module must have a layer with weights, got none")
    sized = [layer for layer in layers if "inputs" in layer]
    return Packed(layers, bytes(write.data), sized[0]["inputs"], math.prod(shape))


def unpack(packed: Packed) -> nn.Sequential:
    """The network as the page will compute it: rounded weights, in float32."""
    checks.instance("packed", packed, Packed)
    names = {name: kind for kind, (name, _) in KINDS.items()}
    modules: list[nn.Module] = []
    for entry in packed.layers:
        module = _rebuilt(names[checks.choice("kind", entry["kind"], names)], entry)
        with torch.no_grad():
            for field, parameter in module.named_parameters():
                parameter.copy_(_read(entry[field], packed.data))
        modules.append(module)
    return nn.Sequential(*modules).requires_grad_(False).eval()


def _rebuilt(kind: type[nn.Module], entry: dict[str, Any]) -> nn.Module:
    """The layer of an entry, its weights still to come."""
    bias = "bias" in entry
    if kind is nn.Linear:
        return nn.Linear(entry["inputs"], entry["outputs"], bias=bias)
    if kind in (nn.Conv2d, nn.ConvTranspose2d):
        options = {field: entry[field] for field in ("stride", "padding")}
        if kind is nn.ConvTranspose2d:
            options["output_padding"] = entry["output_padding"]
        return kind(entry["from"][0], entry["to"][0], entry["kernel"], bias=bias, **options)
    if kind is nn.Upsample:
        return nn.Upsample(scale_factor=tuple(entry["factor"]))
    if kind is nn.BatchNorm2d:  # the statistics are in its weights
        return nn.BatchNorm2d(entry["weight"]["shape"][0], eps=0.0)
    if kind is nn.PixelShuffle:
        return nn.PixelShuffle(entry["factor"])
    if kind is nn.Unflatten:
        return nn.Unflatten(1, tuple(entry["to"]))
    return kind()


def _read(entry: dict[str, Any], data: bytes) -> Tensor:
    shape, offset = entry["shape"], entry["offset"]
    count = int(np.prod(shape))
    if entry["dtype"] == "float16":
        return torch.from_numpy(np.frombuffer(data, "<f2", count, offset).reshape(shape).copy())
    scales = np.frombuffer(data, "<f4", shape[0], entry["scales"])
    values = np.frombuffer(data, "i1", count, offset).reshape(shape[0], -1)
    return torch.from_numpy((values * scales[:, None]).reshape(shape))


def _each(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    # a subclass may choose the layers, and not compute something else with them
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        yield name, module
        return
    for position, child in enumerate(module):
        yield from _each(f"{name}[{position}]", child)
