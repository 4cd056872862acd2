"""The autoencoder: an encoder, a bottleneck, a decoder [rumelhart1986learning, hinton2006reducing].

Two models: ``Autoencoder``, fully connected and as deep as its list of sizes, and
``LinearAutoencoder``, the one whose optimum is known in closed form [baldi1989neural].
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore import checks

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


class Autoencoder(nn.Module):
    r"""$z = f_\phi(x)$, $\hat x = g_\theta(z)$, each a stack of affine maps and activations.

    ``sizes`` runs from the input to the code, and the decoder runs back: ``[784, 256, 64]`` is
    784 → 256 → 64 → 256 → 784. The code and the output are affine, without an activation: an
    objective reads the output as a mean (``squared_error``) or as logits (``bce_with_logits``).
    With ``code_activation`` the code has one: ``Autoencoder([784, 1024], code_activation="relu")``
    is the network with one hidden layer, $\hat x = W_2\,\mathrm{relu}(W_1 x + b_1) + b_2$.
    With ``tied=True`` the decoder has the encoder's weights, transposed, and biases of its own.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        *,
        code_activation: str | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        checks.instance("sizes", sizes, list, tuple)
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least an input and a code, got {list(sizes)}")
        for position, size in enumerate(sizes):
            checks.integer(f"sizes[{position}]", size)
        checks.choice("activation", activation, ACTIVATIONS)
        if code_activation is not None:
            checks.choice("code_activation", code_activation, ACTIVATIONS)
        checks.instance("tied", tied, bool)

        self.inputs, self.latent = sizes[0], sizes[-1]
        down = [nn.Linear(wide, narrow) for wide, narrow in pairwise(sizes)]
        up = [TiedLinear(layer) if tied else nn.Linear(*layer.weight.shape) for layer in down]
        self.encoder = _stack(down, ACTIVATIONS[activation])
        if code_activation is not None:
            self.encoder.append(ACTIVATIONS[code_activation]())
        self.decoder = _stack(up[::-1], ACTIVATIONS[activation])

    def encode(self, x: Tensor) -> Tensor:
        """The codes of a batch: (B, inputs) → (B, latent)."""
        _rows("x", x, self.inputs)
        codes: Tensor = self.encoder(x)
        return codes  # (B, latent)

    def decode(self, z: Tensor) -> Tensor:
        """The outputs for a batch of codes: (B, latent) → (B, inputs)."""
        _rows("z", z, self.latent)
        outputs: Tensor = self.decoder(z)
        return outputs  # (B, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of a batch: (B, inputs) → (B, inputs)."""
        return self.decode(self.encode(x))


class LinearAutoencoder(Autoencoder):
    r"""$\hat x = W_2 (W_1 x + b_1) + b_2$: no activation anywhere.

    At its optimum under squared error $W_2 W_1$ projects on the span of the first ``latent``
    principal components [baldi1989neural, bourlard1988auto].
    """

    def __init__(self, inputs: int, latent: int) -> None:
        checks.integer("inputs", inputs)
        checks.integer("latent", latent)
        super().__init__([inputs, latent])


class TiedLinear(nn.Module):
    r"""$h \mapsto W^\top h + b$ with the $W$ of another layer: only $b$ is its own."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        checks.instance("layer", layer, nn.Linear)
        # in a tuple, so that the weight is registered once, with the layer that owns it
        self._layer = (layer,)
        self.bias = nn.Parameter(torch.zeros(layer.in_features))

    def forward(self, h: Tensor) -> Tensor:
        """(B, outputs of the layer) → (B, inputs of the layer)."""
        return F.linear(h, self._layer[0].weight.t(), self.bias)


def _stack(layers: Sequence[nn.Module], activation: type[nn.Module]) -> nn.Sequential:
    steps: list[nn.Module] = []
    for layer in layers[:-1]:
        steps += [layer, activation()]
    return nn.Sequential(*steps, layers[-1])


def _rows(name: str, value: Tensor, size: int) -> None:
    # not finite=True: a diverging model is stopped by the training loop, which names the step
    checks.tensor(name, value, ("B", size), finite=False)
