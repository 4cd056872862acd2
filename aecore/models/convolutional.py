r"""The convolutional variational autoencoder, for images that are not vectors.

The encoder halves the image in each layer and the decoder doubles it back. ``UPSAMPLING`` holds the
three ways of doubling that the book compares: two transposed convolutions [dumoulin2016guide], and
nearest-neighbour enlargement followed by a convolution [odena2016deconvolution]. What is minimised
stands in ``aecore.bounds``.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from aecore import checks
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.models.variational import normal_posterior


def _transposed(kernel: int, inputs: int, outputs: int) -> list[nn.Module]:
    # an odd kernel leaves the size of the output open by one row and one column
    odd = kernel % 2
    return [nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding=1, output_padding=odd)]


def _resize(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]


# inputs, outputs → the layers that double the sides of a map
UPSAMPLING: dict[str, Callable[[int, int], list[nn.Module]]] = {
    "transposed": lambda inputs, outputs: _transposed(4, inputs, outputs),
    "transposed, kernel 3": lambda inputs, outputs: _transposed(3, inputs, outputs),
    "resize": _resize,
}


class ConvolutionalVAE(nn.Module):
    r"""$q_\phi(z \mid x) = \mathcal N(\mu, \mathrm{diag}(\sigma^2))$; $p_\theta(x \mid z)$.

    $(\mu, \log\sigma^2) = \mathrm{Enc}((x - c) / s)$ and outputs $= c + s\,\mathrm{Dec}(z)$: the
    networks see and draw what is left of an image after the mean image $c$, in units of $s$. Both
    come from data, by ``centre_on``; until then they are 0 and 1.

    ``channels`` runs from the image inwards, ``side`` is the side of the image:
    ``ConvolutionalVAE([3, 32, 64, 128], 64, 16, Gaussian(0.1))`` has the encoder 3 × 64 × 64 →
    32 × 32 × 32 → 64 × 16 × 16 → 128 × 8 × 8 → 2·16 and the decoder 16 → 128 × 8 × 8 → … → 3 × 64
    × 64. Convolutions have kernel 4 and stride 2, ReLU stands between the layers, and the last is
    affine. ``upsampling`` names how the decoder doubles.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        side: int,
        latent: int,
        likelihood: Bernoulli | Gaussian,
        *,
        upsampling: str = "transposed",
    ) -> None:
        super().__init__()
        checks.instance("channels", channels, list, tuple)
        if len(channels) < 2:
            raise ValueError(f"channels must name at least an image and a map, got {channels}")
        for position, number in enumerate(channels):
            checks.integer(f"channels[{position}]", number)
        halvings = len(channels) - 1
        checks.integer("side", side)
        if side % 2**halvings:
            raise ValueError(f"side must be a multiple of {2**halvings}, got {side}")
        checks.integer("latent", latent)
        checks.instance("likelihood", likelihood, Bernoulli, Gaussian)
        checks.choice("upsampling", upsampling, UPSAMPLING)

        self.image = (channels[0], side, side)
        self.latent = latent
        innermost = (channels[-1], side // 2**halvings, side // 2**halvings)
        flat = channels[-1] * (side // 2**halvings) ** 2

        down: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            down += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU()]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 2 * latent))

        up: list[nn.Module] = [nn.Linear(latent, flat), nn.Unflatten(1, innermost)]
        for inputs, outputs in pairwise(reversed(channels)):
            up += [nn.ReLU(), *UPSAMPLING[upsampling](inputs, outputs)]
        self.decoder = nn.Sequential(*up)

        self.likelihood = likelihood
        self.register_buffer("centre", torch.zeros(self.image))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def centre_on(self, x: Tensor) -> "ConvolutionalVAE":
        r"""Take $c$, the mean of images ``x`` (N, C, H, W), and $s$, what they stray from it.

        $s$ is the standard deviation of a pixel around the mean image, one number for all. Returns
        self. ``ValueError`` if all images are the same.
        """
        checks.tensor("x", x, ("N", *self.image))
        if torch.equal(x.amin(0), x.amax(0)):
            raise ValueError("x must vary between images, got one image many times")
        self.centre.copy_(x.mean(0))
        self.scale.copy_(x.var(0, correction=0).mean().sqrt())
        return self

    def encode(self, x: Tensor) -> Distribution:
        r"""$q_\phi(z \mid x)$ of a batch: (B, C, H, W) → a distribution over (B, latent)."""
        checks.tensor("x", x, ("B", *self.image), finite=False)
        return normal_posterior(self.encoder((x - self.centre) / self.scale))

    def decode(self, z: Tensor) -> Tensor:
        """What the likelihood reads: (B, latent) → (B, C, H, W), logits or means."""
        checks.tensor("z", z, ("B", self.latent), finite=False)
        drawn: Tensor = self.decoder(z)
        return self.centre + self.scale * drawn  # (B, C, H, W)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs at the mean of the posterior: (B, C, H, W) → (B, C, H, W)."""
        return self.decode(self.encode(x).mean)

    @torch.no_grad()
    def generate(self, number: int, generator: torch.Generator) -> Tensor:
        r"""``number`` pictures, $\hat x$ for $z \sim \mathcal N(0, I)$: (number, C, H, W).

        They are means of the likelihood, no draws from it: a draw adds the noise of every pixel.
        """
        checks.integer("number", number)
        checks.instance("generator", generator, torch.Generator)
        z = torch.randn(number, self.latent, generator=generator, device=generator.device)
        return self.likelihood.mean(self.decode(z))
