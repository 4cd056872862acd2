r"""Learning by an opponent: the generative adversarial network [goodfellow2014generative].

A generator $G$ turns noise into images, a discriminator $D$ gives the log-odds that an image is
real, and each is trained against the other. ``VAEGAN`` gives the generator an encoder
[larsen2016autoencoding].

- ``discriminator_loss``, ``generator_loss``  the two losses, from log-odds
- ``adversarial_loss``                        both of a ``GAN``, in one sum
- ``vae_gan_loss``                            bound and opponent of a ``VAEGAN``, in one sum
- ``play``                                    what trains on such a sum: a game, no minimisation
- ``ImageGenerator``, ``ImageDiscriminator``  two small convolutional networks for digits
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call
from torch.nn import functional as F

from aecore import checks
from aecore.bounds import kl_divergence, reparameterise
from aecore.models.variational import normal_posterior
from aecore.objectives import bce_with_logits


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    r"""$-\log D(x) - \log(1 - D(G(z)))$: (B,), in nats, with $D$ the sigmoid of the log-odds.

    ``real`` and ``fake``: (B,), log-odds. At a discriminator that knows nothing it is $2 \log 2$.
    """
    checks.tensor("real", real, ("B",), finite=False)
    checks.tensor("fake", fake, ("B",), finite=False)
    checks.same_shape("fake", fake, "real", real)
    return F.softplus(-real) + F.softplus(fake)


def generator_loss(fake: Tensor) -> Tensor:
    r"""$-\log D(G(z))$, the non-saturating loss: (B,) log-odds → (B,), in nats.

    It has the fixed points of $\log(1 - D(G(z)))$, and a gradient where the discriminator wins.
    """
    checks.tensor("fake", fake, ("B",), finite=False)
    return F.softplus(-fake)


class GAN(nn.Module):
    r"""$\min_G \max_D\ \mathbb E[\log D(x)] + \mathbb E[\log(1 - D(G(z)))]$, $z \sim \mathcal N(0,
    I)$.

    ``generator``: a module (B, latent) → (B, …). ``discriminator``: one (B, …) → (B, 1), log-odds.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent: int) -> None:
        super().__init__()
        checks.instance("generator", generator, nn.Module)
        checks.instance("discriminator", discriminator, nn.Module)
        self.generator, self.discriminator = generator, discriminator
        self.latent = checks.integer("latent", latent)

    def forward(self, z: Tensor) -> Tensor:
        """What the generator makes of noise: (B, latent) → (B, …)."""
        checks.tensor("z", z, ("B", self.latent), finite=False)
        made: Tensor = self.generator(z)
        return made

    @torch.no_grad()
    def generate(self, number: int, generator: torch.Generator) -> Tensor:
        """``number`` examples from noise: (number, …)."""
        checks.integer("number", number)
        return self.forward(_noise(number, self.latent, generator))


def adversarial_loss(
    model: GAN, x: Tensor, generator: torch.Generator, *, jitter: float = 0.0
) -> Tensor:
    r"""``discriminator_loss`` + ``generator_loss``, each with a gradient for its own player only.

    ``x``: (B, …). Returns (B,), in nats; its value has no minimum to fall to. One step of Adam on
    the sum is a step of both players at once.

    ``jitter``: standard deviation of noise that is added to what the discriminator sees, real and
    generated alike, so that the two overlap [arjovsky2017towards].
    """
    _batch(x)
    checks.number("jitter", jitter, low=0)
    fake = model(_noise(len(x), model.latent, generator).to(x.dtype))
    if fake.shape != x.shape:
        raise ValueError(f"x must have the generator's shape {tuple(fake.shape)}, got {x.shape}")
    return _both(model.discriminator, x, fake, generator, jitter)


def play(
    model: nn.Module,
    loss: Callable[..., Tensor],
    x: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    momentum: float,
    seed: int,
) -> list[float]:
    r"""Move both players at once, ``steps`` times, and return the mean losses of the steps.

    ``loss(model, batch, generator)`` is (B,), such as ``adversarial_loss``; ``x``: (N, …), of which
    a step sees ``batch_size`` rows. ``momentum`` is Adam's $\beta_1$. ``training.fit`` has 0.9, for
    a loss that is to fall; in a game the slope turns as the other player moves, and what was right
    ten steps ago is not [radford2016unsupervised]. Raises ``RuntimeError`` if a loss is no number.
    """
    checks.instance("model", model, nn.Module)
    _batch(x)
    checks.integer("steps", steps)
    checks.integer("batch_size", batch_size, high=len(x))
    checks.number("lr", lr, above=0)
    checks.number("momentum", momentum, low=0, high=0.999)
    noise = torch.Generator(x.device).manual_seed(checks.integer("seed", seed, low=0))
    adam = torch.optim.Adam(model.parameters(), lr, betas=(momentum, 0.999), fused=True)
    means = []
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # dropout draws from the global
        torch.manual_seed(seed)
        model.train()
        for step in range(1, steps + 1):
            rows = torch.randint(len(x), (batch_size,), generator=noise, device=x.device)
            mean = loss(model, x[rows], noise).mean()
            if not bool(mean.isfinite()):
                raise RuntimeError(f"the loss is {float(mean.detach())} at step {step}")
            adam.zero_grad()
            mean.backward()  # type: ignore[no-untyped-call]
            adam.step()
            means.append(float(mean.detach()))
        model.eval()
    return means


class ImageGenerator(nn.Sequential):
    """Noise (B, latent) → logits of images (B, 784): 7 × 7 maps, doubled twice.

    A convolution makes four times the channels, and ``PixelShuffle`` arranges them as pixels.
    """

    def __init__(self, latent: int, channels: int = 32) -> None:
        checks.integer("latent", latent)
        checks.integer("channels", channels, low=2)
        if channels % 2:
            raise ValueError(f"channels must be even, got {channels}")
        super().__init__(
            nn.Linear(latent, channels * 49),
            nn.Unflatten(1, (channels, 7, 7)),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),  # (B, 2c, 7, 7)
            nn.PixelShuffle(2),  # (B, c/2, 14, 14)
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(),
            nn.Conv2d(channels // 2, 4, 3, padding=1),
            nn.PixelShuffle(2),  # (B, 1, 28, 28)
            nn.Flatten(),  # (B, 784)
        )


class ImageDiscriminator(nn.Sequential):
    """Images (B, 784) in [0, 1] → log-odds (B, 1): two convolutions of stride 2.

    ``dropout``: the share of feature maps left out in a training step. It keeps the discriminator
    from knowing the training images by heart.
    """

    def __init__(self, channels: int = 16, dropout: float = 0.3) -> None:
        checks.integer("channels", channels)
        checks.number("dropout", dropout, low=0, high=1)
        super().__init__(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, channels, 4, stride=2, padding=1),  # (B, c, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Dropout2d(dropout),
            nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),  # (B, 2c, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Dropout2d(dropout),
            nn.Flatten(),
            nn.Linear(2 * channels * 49, 1),
        )


class VAEGAN(nn.Module):
    r"""A variational autoencoder whose decoder is a generator with an opponent.

    ``encoder``: a module (B, inputs) → (B, 2 · latent), $\mu$ and $\log\sigma^2$. ``generator``:
    (B, latent) → (B, inputs), logits. ``discriminator``: (B, inputs) in [0, 1] → (B, 1), log-odds.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent: int,
        inputs: int = 784,
    ) -> None:
        super().__init__()
        checks.instance("encoder", encoder, nn.Module)
        checks.instance("generator", generator, nn.Module)
        checks.instance("discriminator", discriminator, nn.Module)
        self.encoder, self.generator, self.discriminator = encoder, generator, discriminator
        self.latent = checks.integer("latent", latent)
        self.inputs = checks.integer("inputs", inputs)

    def encode(self, x: Tensor) -> Distribution:
        r"""$q_\phi(z \mid x)$: (B, inputs) → a distribution over (B, latent)."""
        checks.tensor("x", x, ("B", self.inputs), finite=False)
        return normal_posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) → (B, inputs), logits."""
        checks.tensor("z", z, ("B", self.latent), finite=False)
        logits: Tensor = self.generator(z)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """The logits at the mean of the posterior: (B, inputs) → (B, inputs)."""
        return self.decode(self.encode(x).mean)

    @torch.no_grad()
    def generate(self, number: int, generator: torch.Generator) -> Tensor:
        """``number`` pictures from codes drawn from the prior: (number, inputs), in [0, 1]."""
        checks.integer("number", number)
        return self.decode(_noise(number, self.latent, generator)).sigmoid()


def vae_gan_loss(model: VAEGAN, x: Tensor, generator: torch.Generator, *, weight: float) -> Tensor:
    r"""$-\log p_\theta(x \mid z) + D_{\mathrm{KL}}(q \Vert p) + \lambda\,(\text{opponent})$: (B,).

    ``x``: (B, inputs), in [0, 1], with the Bernoulli likelihood. The opponent judges the copy of
    ``x`` and a picture from the prior, half of the batch each. ``weight``, $\lambda$, multiplies
    the generator's part; at 0 there is no opponent, and the model is a VAE. In nats.
    """
    checks.tensor("x", x, ("B", model.inputs), low=0, high=1)
    checks.number("weight", weight, low=0)
    posterior = model.encode(x)
    logits = model.decode(reparameterise(posterior, generator))
    bound = bce_with_logits(logits, x) + kl_divergence(posterior)  # (B,)
    if weight == 0:
        return bound
    dreamt = model.decode(_noise(len(x), model.latent, generator).to(x.dtype))
    half = torch.arange(len(x), device=x.device)[:, None] % 2 == 0
    fake = torch.where(half, logits, dreamt).sigmoid()
    return bound + _both(model.discriminator, x, fake, generator, 0.0, weight)


def _both(
    judge: nn.Module,
    x: Tensor,
    fake: Tensor,
    generator: torch.Generator,
    jitter: float,
    weight: float = 1.0,
) -> Tensor:
    both = torch.cat([x, fake.detach()])  # the judge's gradient ends here
    if jitter > 0:
        both = both + jitter * _noise_like(both, generator)
        fake = fake + jitter * _noise_like(fake, generator)
    real_odds, fake_odds = judge(both)[:, 0].chunk(2)  # (B,) each
    frozen = {name: value.detach() for name, value in judge.named_parameters()}
    odds = functional_call(judge, frozen, (fake,))[:, 0]  # a gradient for the generator alone
    return discriminator_loss(real_odds, fake_odds) + weight * generator_loss(odds)


def _batch(x: object) -> None:
    if checks.tensor("x", x).ndim < 2:
        raise ValueError(f"x must have shape (B, …), got {tuple(checks.tensor('x', x).shape)}")


def _noise(number: int, latent: int, generator: torch.Generator) -> Tensor:
    checks.instance("generator", generator, torch.Generator)
    return torch.randn(number, latent, generator=generator, device=generator.device)


def _noise_like(value: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(value.shape, generator=generator, device=value.device, dtype=value.dtype)
