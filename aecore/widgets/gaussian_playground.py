"""A normal posterior against the prior: both densities, their divergence, samples."""

from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from aecore import checks
from aecore.plots.palette import AMBER, GREY, PETROL
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.draws import normal

SAMPLES = 100
MU = (-4.0, 4.0)
SIGMA = (0.05, 3.0)
SPAN = 6.0  # the axis of z runs from -6 to 6


class GaussianPlayground(Widget):
    r"""$q = \mathcal N(\mu, \sigma^2)$ against $p = \mathcal N(0, 1)$, in one dimension.

    The page draws both densities, and $q(z) \log(q(z) / p(z))$, whose signed area is

    $$D_{\mathrm{KL}}(q \Vert p) = \tfrac12 \mu^2 + \tfrac12 (\sigma^2 - 1 - \log \sigma^2)
      \quad\text{nats.}$$

    It says the two parts, the divergence the other way round, and an estimate from 100 samples
    $z = \mu + \sigma \varepsilon$. The $\varepsilon$ stay while $\mu$ and $\sigma$ change: that is
    the reparameterisation of [kingma2014auto].

    ``mu``, from -4 to 4, ``sigma``, from 0.05 to 3, and ``seed``, of the $\varepsilon$, can be read
    and set from Python while a kernel runs. Raises ``TypeError`` or ``ValueError`` beyond them.
    """

    kind = "gaussian_playground"
    _esm = front_end(kind)

    mu = traitlets.Float().tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)

    def __init__(self, *, name: str, label: str, mu: float = 1.0, sigma: float = 0.5) -> None:
        checks.number("mu", mu)
        checks.number("sigma", sigma)
        super().__init__(name=name, label=label, mu=mu, sigma=sigma)

    @traitlets.validate("mu")
    def _a_mean(self, proposal: Any) -> float:
        return checks.number("mu", proposal["value"], low=MU[0], high=MU[1])

    @traitlets.validate("sigma")
    def _a_deviation(self, proposal: Any) -> float:
        return checks.number("sigma", proposal["value"], low=SIGMA[0], high=SIGMA[1])

    @traitlets.validate("seed")
    def _a_seed(self, proposal: Any) -> int:
        return checks.integer("seed", proposal["value"], low=0, high=2**32 - 1)

    @property
    def posterior(self) -> Normal:
        r"""$q = \mathcal N(\mu, \sigma^2)$, in double precision."""
        return Normal(*torch.tensor([self.mu, self.sigma], dtype=torch.float64))

    @property
    def prior(self) -> Normal:
        r"""$p = \mathcal N(0, 1)$, in double precision."""
        return Normal(*torch.tensor([0, 1], dtype=torch.float64))

    @property
    def kl(self) -> float:
        r"""$D_{\mathrm{KL}}(q \Vert p)$, in nats."""
        return float(kl_divergence(self.posterior, self.prior))

    @property
    def reverse_kl(self) -> float:
        r"""$D_{\mathrm{KL}}(p \Vert q)$, in nats."""
        return float(kl_divergence(self.prior, self.posterior))

    @property
    def samples(self) -> Tensor:
        r"""$z = \mu + \sigma \varepsilon$: (100,), float64."""
        return self.mu + self.sigma * torch.from_numpy(normal(self.seed, SAMPLES))

    @property
    def log_ratios(self) -> Tensor:
        r"""$\log q(z) - \log p(z)$ of each sample: (100,), in nats."""
        log_q, log_p = self._log_densities(self.samples)
        return log_q - log_p

    def _log_densities(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_q, log_p = (d.log_prob(z) for d in (self.posterior, self.prior))  # type: ignore[no-untyped-call]
        return log_q, log_p

    def alt(self) -> str:
        """What the picture shows, in words."""
        ratios = self.log_ratios
        return (
            f"{self.label}. Above: the densities of q, normal with mean {_signed(self.mu, 2)} and "
            f"standard deviation {self.sigma:#.3g}, and of the prior p, with mean 0 and standard "
            f"deviation 1. Below: q log(q/p), its signed area KL(q‖p) = {_nats(self.kl)} nats. "
            f"The mean of log(q/p) over {SAMPLES} samples of q is {_nats(float(ratios.mean()))}. "
            f"KL(p‖q) is {_nats(self.reverse_kl)} nats."
        )

    def picture(self) -> bytes:
        """Densities, samples and the area that is the divergence, on a transparent ground."""
        figure = Figure(figsize=(6.9, 4.1))
        figure.set_layout_engine("none")
        near = self.mu + self.sigma * np.linspace(-5, 5, 161)  # where a narrow q needs more points
        places = np.sort(np.concatenate([np.linspace(-SPAN, SPAN, 401), near]))
        places = places[abs(places) <= SPAN]
        z = torch.from_numpy(places)
        log_q, log_p = self._log_densities(z)
        q, integrand = log_q.exp().numpy(), (log_q.exp() * (log_q - log_p)).numpy()

        axes = _panel(figure, 0.54, 0.38, "q in amber, the prior p in grey, samples of q as ticks")
        axes.plot(places, log_p.exp().numpy(), "-", color=GREY, lw=1.8)
        axes.plot(places, q, "-", color=AMBER, lw=1.8)
        axes.fill_between(places, q, color=AMBER, alpha=0.2, lw=0)
        axes.set(ylim=(0, 1.15 * max(q.max(), 0.4)))
        inside = [float(z) for z in self.samples if abs(z) <= SPAN]
        axes.eventplot(
            inside, lineoffsets=-0.07, linelengths=0.08, linewidths=0.8, colors=AMBER,
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
        axes.tick_params(axis="x", pad=12)
        words = f"q log(q/p): its area is KL(q‖p) = {_nats(self.kl)} nats"
        axes = _panel(figure, 0.07, 0.28, words)
        axes.plot(places, integrand, "-", color=GREY, lw=1)
        for part, colour in ((integrand.clip(0), AMBER), (integrand.clip(None, 0), PETROL)):
            axes.fill_between(places, part, color=colour, alpha=0.45, lw=0)
        return figure_png(figure)


def _panel(figure: Figure, bottom: float, height: float, title: str) -> Any:
    axes = figure.add_axes((0.07, bottom, 0.91, height))
    axes.set_title(title, size=8.5, color=GREY, pad=3, loc="left")
    axes.tick_params(labelcolor=GREY, length=0)  # grey reads on paper and in the dark
    axes.spines[:].set_visible(False)
    axes.grid(color=GREY, alpha=0.3, lw=0.6)
    axes.set(xlim=(-SPAN, SPAN))
    return axes


def _nats(value: float) -> str:
    """As the page writes it: three decimals, one from 100 on."""
    return _signed(value, 3 if abs(value) < 100 else 1)


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
