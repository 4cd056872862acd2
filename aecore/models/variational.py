r"""The variational autoencoder: an encoder whose code is a distribution [kingma2014auto].

The model is $p(z) = \mathcal N(0, I)$ and a likelihood $p_\theta(x \mid z)$; the encoder is there
to train it. What is minimised stands in ``aecore.bounds``.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from aecore import checks
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.models.autoencoder import ACTIVATIONS


class VariationalAutoencoder(nn.Module):
    r"""$q_\phi(z \mid x) = \mathcal N(\mu, \mathrm{diag}(\sigma^2))$; $p_\theta(x \mid z)$.

    The encoder returns $(\mu, \log\sigma^2)$; ``likelihood`` says what the decoder's outputs mean.

    ``sizes`` runs from the input to the latent: ``[784, 256, 32]`` has the encoder 784 → 256 → 2·32
    and the decoder 32 → 256 → 784, as ``Autoencoder`` has it. Both are stacks of affine maps and
    activations; their outputs are affine. With two sizes the model is linear.
    """

    def __init__(
        self, sizes: Sequence[int], likelihood: Bernoulli | Gaussian, activation: str = "relu"
    ) -> None:
        super().__init__()
        checks.instance("sizes", sizes, list, tuple)
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least an input and a latent, got {list(sizes)}")
        for position, size in enumerate(sizes):
            checks.integer(f"sizes[{position}]", size)
        checks.instance("likelihood", likelihood, Bernoulli, Gaussian)
        checks.choice("activation", activation, ACTIVATIONS)

        self.inputs, self.latent = sizes[0], sizes[-1]
        self.encoder = _stack([*sizes[:-1], 2 * self.latent], activation)
        self.decoder = _stack(sizes[::-1], activation)
        self.likelihood = likelihood

    def encode(self, x: Tensor) -> Distribution:
        r"""$q_\phi(z \mid x)$ of a batch: (B, inputs) → a distribution over (B, latent)."""
        checks.tensor("x", x, ("B", self.inputs), finite=False)
        return normal_posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """What the likelihood reads: (B, latent) → (B, inputs), logits or means."""
        checks.tensor("z", z, ("B", self.latent), finite=False)
        outputs: Tensor = self.decoder(z)
        return outputs  # (B, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs at the mean of the posterior: (B, inputs) → (B, inputs)."""
        return self.decode(self.encode(x).mean)

    @torch.no_grad()
    def generate(self, number: int, generator: torch.Generator) -> Tensor:
        r"""``number`` pictures, $\hat x$ for $z \sim \mathcal N(0, I)$: (number, inputs).

        They are means of the likelihood, no draws from it: a draw adds the noise of every pixel.
        """
        checks.integer("number", number)
        checks.instance("generator", generator, torch.Generator)
        z = torch.randn(number, self.latent, generator=generator, device=generator.device)
        return self.likelihood.mean(self.decode(z))


def normal_posterior(outputs: Tensor) -> Distribution:
    r"""$\mathcal N(\mu, \mathrm{diag}(\sigma^2))$ from an encoder's $(\mu, \log\sigma^2)$.

    (B, 2 · latent) → a distribution over (B, latent), an ``Independent(Normal(mu, sigma), 1)``.
    """
    # not finite=True: a diverging model is stopped by the training loop, which names the step;
    # and for the same reason the distribution does not look at its parameters
    checks.tensor("outputs", outputs, ("B", "2 · latent"), finite=False)
    if outputs.shape[1] % 2:
        raise ValueError(f"outputs must be means and log variances, got {outputs.shape[1]} numbers")
    mu, logvar = outputs.chunk(2, dim=1)  # (B, latent) each
    normal = Normal(mu, (logvar / 2).exp(), validate_args=False)
    return Independent(normal, 1, validate_args=False)


def _stack(sizes: Sequence[int], activation: str) -> nn.Sequential:
    steps: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        steps += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*steps[:-1])
