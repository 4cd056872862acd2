r"""Denoising diffusion: noise added in many small steps, and a network that takes it away again.

$q(x_t \mid x_0) = \mathcal N(\sqrt{\bar\alpha_t}\, x_0, (1 - \bar\alpha_t) I)$, $t = 1 \dots T$
[sohldickstein2015deep, ho2020denoising].

- ``cosine_schedule``       the numbers $\bar\alpha_1 \dots \bar\alpha_T$
- ``convert``               $\hat x_0$, $\hat\varepsilon$, $\hat v$ and score from one another
- ``Diffusion``             a network, its schedule, and what the network predicts
- ``diffusion_loss``        the loss that it is trained on, for ``aecore.training.fit``
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aecore import checks

PREDICTIONS = ("epsilon", "x0", "v", "score")


def cosine_schedule(steps: int, offset: float = 0.008) -> Tensor:
    r"""$\bar\alpha_t = f(t)/f(0)$, $f(t) = \cos^2\bigl(\frac{t/T + s}{1 + s}\frac\pi2\bigr)$.

    $T$ = ``steps``, $s$ = ``offset`` [nichol2021improved]. Returns (T,), float64, falling; no
    step keeps less than a thousandth of what it was given, $\alpha_t \ge 0.001$.
    """
    checks.integer("steps", steps)
    checks.number("offset", offset, above=0)
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    signal = ((time + offset) / (1 + offset) * math.pi / 2).cos().square()
    return (signal[1:] / signal[:-1]).clamp(min=1e-3).cumprod(0)  # (T,)


def convert(output: Tensor, x_t: Tensor, alpha_bar: Tensor, source: str, target: str) -> Tensor:
    r"""What a network says as ``source``, said as ``target``: one of ``PREDICTIONS``.

    With $x_t = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, \varepsilon$ all four are known
    as soon as one is: $v = \sqrt{\bar\alpha}\, \varepsilon - \sqrt{1 - \bar\alpha}\, x_0$
    [salimans2022progressive], the score is $-\varepsilon/\sqrt{1 - \bar\alpha}$.

    ``output``, ``x_t``: (B, …) of one shape. ``alpha_bar``: (B,), between 0 and 1.
    """
    checks.tensor("output", output, finite=False)
    checks.tensor("x_t", x_t, finite=False)
    checks.same_shape("x_t", x_t, "output", output)
    checks.tensor("alpha_bar", alpha_bar, (len(output),))
    checks.choice("source", source, PREDICTIONS)
    checks.choice("target", target, PREDICTIONS)
    signal, noise = _scales(alpha_bar, output)
    if source == "x0":
        clean, epsilon = output, (x_t - signal * output) / noise
    elif source == "v":
        clean, epsilon = signal * x_t - noise * output, noise * x_t + signal * output
    else:
        epsilon = output if source == "epsilon" else -noise * output
        clean = (x_t - noise * epsilon) / signal
    if target == "x0":
        return clean
    if target == "v":
        return signal * epsilon - noise * clean
    return epsilon if target == "epsilon" else -epsilon / noise


class Bound(NamedTuple):
    r"""The three parts of an upper bound on $-\log p(x_0)$, in nats."""

    prior: Tensor  # (B,) KL(q(x_T | x_0) || N(0, I))
    chain: Tensor  # (B,) the sum over t = 2 … T of KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
    reconstruction: Tensor  # (B,) -log p(x_0 | x_1)


class Diffusion(nn.Module):
    r"""$p(x_{t-1} \mid x_t) = q(x_{t-1} \mid x_t, x_0 = \hat x_0)$, $p(x_T) = \mathcal N(0, I)$.

    ``network``: a module of $x_t$ (B, …) and $t/T$ (B,) that returns (B, …): what ``prediction``
    says, ``"epsilon"``, ``"x0"``, ``"v"`` or ``"score"``. ``alpha_bars``: (T,), falling, between
    1 and 0. As a latent-variable model it is a VAE with the latents $x_1 \dots x_T$, each as large
    as the data, and an encoder without parameters.
    """

    alpha_bars: Tensor

    def __init__(self, network: nn.Module, alpha_bars: Tensor, prediction: str = "v") -> None:
        super().__init__()
        checks.instance("network", network, nn.Module)
        checks.tensor("alpha_bars", alpha_bars, ("T",))
        one = torch.ones(1, dtype=torch.float64)
        bars = torch.cat([one, alpha_bars.detach().cpu().double()])
        if not bool((bars.diff() < 0).all()) or bars[-1] <= 0:
            raise ValueError("alpha_bars must fall and lie between 1 and 0")
        self.network = network
        self.prediction = checks.choice("prediction", prediction, PREDICTIONS)
        self.steps = len(alpha_bars)
        self.register_buffer("alpha_bars", bars)  # (T + 1,), from no noise

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """What the network says of $x_t$ (B, …) at t (B,), integers from 1 to T: (B, …)."""
        checks.tensor("x_t", x_t, finite=False)
        said: Tensor = self.network(x_t, (self._times(t, x_t) / self.steps).to(x_t.dtype))
        return said

    def noisy(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        r"""$\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon$: (B, …)."""
        checks.tensor("x", x)
        checks.tensor("noise", noise)
        checks.same_shape("noise", noise, "x", x)
        signal, spread = _scales(self.alpha_bars[self._times(t, x)], x)
        return signal * x + spread * noise

    def denoise(self, x_t: Tensor, t: Tensor) -> Tensor:
        r"""$\hat x_0$, the network's guess of the clean example: (B, …), (B,) → (B, …)."""
        said = self.forward(x_t, t)
        return convert(said, x_t, self.alpha_bars[t], self.prediction, "x0")

    def bound(self, x: Tensor, generator: torch.Generator) -> Bound:
        r"""An unbiased estimate of the bound for each of ``x`` (B, d), from one t an example.

        The t of a batch are spread evenly over the chain, which makes its mean less noisy.

        $D_{\mathrm{KL}}(q(x_{t-1} \mid x_t, x_0) \Vert p(x_{t-1} \mid x_t)) =
        \frac12 (\mathrm{SNR}_{t-1} - \mathrm{SNR}_t) \lVert x_0 - \hat x_0 \rVert^2$ with
        $\mathrm{SNR}_t = \bar\alpha_t / (1 - \bar\alpha_t)$ [kingma2021variational]; the last step
        is $p(x_0 \mid x_1) = \mathcal N(\hat x_0, I / \mathrm{SNR}_1)$.
        """
        checks.tensor("x", x, ("B", "d"))
        checks.instance("generator", generator, torch.Generator)
        bars = self.alpha_bars
        last, size = bars[-1], x.shape[1]
        prior = 0.5 * (last * x.square().sum(1) - size * (last + (1 - last).log()))
        t = _even_times(2, self.steps, x, generator)
        ratio = bars / (1 - bars)  # infinite at t = 0, which is not asked for
        noise = _noise_like(x, generator)
        error = (x - self.denoise(self.noisy(x, t, noise), t)).square().sum(1)
        chain = (self.steps - 1) * 0.5 * (ratio[t - 1] - ratio[t]) * error
        one = torch.ones_like(t)
        noise = _noise_like(x, generator)
        error = (x - self.denoise(self.noisy(x, one, noise), one)).square().sum(1)
        first = 0.5 * (ratio[1] * error + size * (math.log(2 * math.pi) - ratio[1].log()))
        return Bound(prior, chain, first)

    @torch.no_grad()
    def sample(
        self,
        start: Tensor,
        steps: int,
        *,
        generator: torch.Generator | None = None,
        limit: float | None = None,
    ) -> Tensor:
        r"""From noise to examples in ``steps`` calls of the network: ``start`` (B, …) → (B, …).

        $x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\,
        \hat\varepsilon + \sigma z$. Without a ``generator`` $\sigma = 0$, and nothing is left to
        chance [song2021denoising]; with one, $\sigma^2$ is the variance of
        $q(x_s \mid x_t, x_0)$, as in ancestral sampling [ho2020denoising]. ``limit``: guesses
        $\hat x_0$ are cut to [−limit, limit].
        """
        checks.tensor("start", start)
        checks.integer("steps", steps, high=self.steps)
        if limit is not None:
            checks.number("limit", limit, above=0)
        x = start
        times = torch.linspace(self.steps, 0, steps + 1).round().long().tolist()
        for t, s in pairwise(times):
            at = torch.full((len(x),), t, device=x.device)
            clean = self.denoise(x, at)
            clean = clean if limit is None else clean.clamp(-limit, limit)
            noise = convert(clean, x, self.alpha_bars[at], "x0", "epsilon")
            a, b = float(self.alpha_bars[t]), float(self.alpha_bars[s])
            variance = 0.0 if generator is None else (1 - b) / (1 - a) * (1 - a / b)
            x = b**0.5 * clean + max(0.0, 1 - b - variance) ** 0.5 * noise
            if generator is not None:
                x = x + variance**0.5 * _noise_like(x, generator)
        return x

    def _times(self, t: object, x: Tensor) -> Tensor:
        checks.instance("t", t, Tensor)
        assert isinstance(t, Tensor)
        if t.dtype != torch.int64 or t.shape != x.shape[:1]:
            raise ValueError(
                f"t must be of {len(x)} integers, got {t.dtype} of shape {tuple(t.shape)}"
            )
        if t.min() < 1 or t.max() > self.steps:
            raise ValueError(
                f"t must be from 1 to {self.steps}, got {int(t.min())} to {int(t.max())}"
            )
        return t


def diffusion_loss(model: Diffusion, x: Tensor, generator: torch.Generator) -> Tensor:
    r"""$\lVert \text{network}(x_t, t) - \text{target} \rVert^2$ at a random t: (B,), summed.

    ``x``: (B, …). The target is ``model.prediction`` of the true noise. It is the bound with
    another weight for each t [ho2020denoising].
    """
    if checks.tensor("x", x).ndim < 2:
        raise ValueError(f"x must have shape (B, …), got {tuple(x.shape)}")
    checks.instance("generator", generator, torch.Generator)
    t, noise = _random_times(1, model.steps, x, generator), _noise_like(x, generator)
    x_t = model.noisy(x, t, noise)
    target = convert(noise, x_t, model.alpha_bars[t], "epsilon", model.prediction)
    losses: Tensor = (model(x_t, t) - target).square().flatten(1).sum(1)
    return losses  # (B,)


def _scales(alpha_bar: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    shape = (-1,) + (1,) * (like.ndim - 1)
    bars = alpha_bar.reshape(shape)
    return bars.sqrt().to(like.dtype), (1 - bars).sqrt().to(like.dtype)


def _random_times(low: int, high: int, x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(low, high + 1, (len(x),), generator=generator, device=x.device)


def _even_times(low: int, high: int, x: Tensor, generator: torch.Generator) -> Tensor:
    start = torch.rand(1, generator=generator, device=x.device, dtype=torch.float64)
    places = (start + torch.arange(len(x), device=x.device) / len(x)) % 1
    return low + ((high + 1 - low) * places).long()


def _noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
