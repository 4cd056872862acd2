"""From a torch decoder to what a page can run: a list of layers and the bytes of their weights.

The bytes are read by ``static/network.js``, layer kind by layer kind; ``unpack`` is the same
reading in Python, so that a test can bound what the smaller numbers cost. A new kind of layer
is one entry in ``KINDS`` here and one in ``LAYERS`` there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
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


def _linear(name: str, layer: Any, write: _Writer) -> dict[str, Any]:
    entry = {
        "inputs": layer.in_features,
        "outputs": layer.out_features,
        "weight": write.tensor(f"{name}.weight", layer.weight),  # (outputs, inputs)
    }
    if layer.bias is not None:
        entry["bias"] = write.tensor(f"{name}.bias", layer.bias)  # (outputs,)
    return entry


def _softplus(name: str, layer: Any, write: _Writer) -> dict[str, Any]:
    if (layer.beta, layer.threshold) != (1, 20):
        raise ValueError(f"{name} must be a Softplus with beta 1 and threshold 20, got {layer}")
    return {}


def _bare(name: str, layer: Any, write: _Writer) -> dict[str, Any]:
    return {}


# exact types, not isinstance: a subclass may compute something else
KINDS: dict[type[nn.Module], tuple[str, Callable[[str, nn.Module, _Writer], dict[str, Any]]]] = {
    nn.Linear: ("linear", _linear),
    nn.ReLU: ("relu", _bare),
    nn.Sigmoid: ("sigmoid", _bare),
    nn.SiLU: ("silu", _bare),
    nn.Softplus: ("softplus", _softplus),
    nn.Tanh: ("tanh", _bare),
}


def pack(module: nn.Module, dtype: str = "float16") -> Packed:
    """Turn a (nested) ``nn.Sequential`` of the layers in ``KINDS`` into data for the page.

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
    for name, layer in _flatten("module", module):
        if type(layer) not in KINDS:
            known = ", ".join(kind.__name__ for kind in KINDS)
            raise TypeError(f"{name} must be one of {known}, got {type(layer).__name__}")
        kind, describe = KINDS[type(layer)]
        layers.append({"kind": kind, **describe(name, layer, write)})

    sized = [layer for layer in layers if "inputs" in layer]
    if not sized:
        raise ValueError("module must have a layer with weights, got none")
    for before, after in pairwise(sized):
        if before["outputs"] != after["inputs"]:
            raise ValueError(
                f"module must pass {after['inputs']} values to its next layer, "
                f"got {before['outputs']}"
            )
    return Packed(layers, bytes(write.data), sized[0]["inputs"], sized[-1]["outputs"])


def unpack(packed: Packed) -> nn.Sequential:
    """The network as the page will compute it: rounded weights, in float32."""
    checks.instance("packed", packed, Packed)
    names = {name: kind for kind, (name, _) in KINDS.items()}
    modules: list[nn.Module] = []
    for entry in packed.layers:
        kind = names[checks.choice("kind", entry["kind"], names)]
        if kind is not nn.Linear:
            modules.append(kind())
            continue
        linear = nn.Linear(entry["inputs"], entry["outputs"], bias="bias" in entry)
        with torch.no_grad():
            for field, parameter in linear.named_parameters():
                parameter.copy_(_read(entry[field], packed.data))
        modules.append(linear)
    return nn.Sequential(*modules).requires_grad_(False)


def _read(entry: dict[str, Any], data: bytes) -> Tensor:
    shape, offset = entry["shape"], entry["offset"]
    count = int(np.prod(shape))
    if entry["dtype"] == "float16":
        return torch.from_numpy(np.frombuffer(data, "<f2", count, offset).reshape(shape).copy())
    scales = np.frombuffer(data, "<f4", shape[0], entry["scales"])
    values = np.frombuffer(data, "i1", count, offset).reshape(shape[0], -1)
    return torch.from_numpy((values * scales[:, None]).reshape(shape))


def _flatten(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential:
        yield name, module
        return
    for position, child in enumerate(module):
        yield from _flatten(f"{name}[{position}]", child)
