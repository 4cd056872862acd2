r"""How good generated images are: sharpness and variety, and two clouds of features compared.

A cloud is a set of feature vectors (N, d), of real or of generated images. A number that compares
two has a *floor* that is not its ideal value: what real images get that stand in the place of the
generated ones, as many of them, and none of them among the others. Print it beside.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from aecore import checks

BLOCK = 500  # rows of a matrix of distances that are in memory at a time


def sharpness(images: Tensor) -> Tensor:
    r"""The mean squared step to the next pixel, across and down, added: (N, C, H, W) → (N,).

    In squared units of the data; 0 for an even image. H and W must be at least 2. Noise
    raises it as edges do, so it compares images that are free of noise.
    """
    checks.tensor("images", images, ("N", "C", "H", "W"))
    if min(images.shape[2:]) < 2:
        raise ValueError(
            f"images must be at least 2 pixels high and wide, got {tuple(images.shape)}"
        )
    across, down = images.diff(dim=3), images.diff(dim=2)
    return across.square().mean((1, 2, 3)) + down.square().mean((1, 2, 3))  # (N,)


def variety(images: Tensor) -> float:
    r"""$\frac1N \sum_n \lVert x_n - \bar x \rVert^2$: the variance of images, summed over pixels.

    ``images``: (N, …), in squared units of the data. 0 if all are the same: a model that has
    learned one good image has none, whatever a judge says of that image.
    """
    checks.tensor("images", images)
    if images.ndim < 2:
        raise ValueError(f"images must have shape (N, …), got {tuple(images.shape)}")
    return (images - images.mean(0)).square().flatten(1).sum(1).mean().item()


def gaussian_frechet(
    mean: Tensor, covariance: Tensor, mean_2: Tensor, covariance_2: Tensor
) -> float:
    r"""$\lVert\mu_1 - \mu_2\rVert^2 + \mathrm{tr}\bigl(\Sigma_1 + \Sigma_2
    - 2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\bigr)$.

    The squared Fréchet distance of two Gaussians [dowson1982frechet], in squared units, as
    float64: means (d,), covariances (d, d), symmetric, and singular ones too.

    With any factors $\Sigma_i = F_i F_i^\top$ the trace of the root is the sum of the singular
    values of $F_1^\top F_2$. So no root is taken of a number that rounding has made negative, and
    no error of $10^{-16}$ becomes one of $10^{-8}$.
    """
    checks.tensor("mean", mean, ("d",))
    size = len(mean)
    checks.tensor("covariance", covariance, (size, size))
    checks.tensor("mean_2", mean_2, (size,))
    checks.tensor("covariance_2", covariance_2, (size, size))
    factor, factor_2 = _factor("covariance", covariance), _factor("covariance_2", covariance_2)
    shift = (mean.double() - mean_2.double()).square().sum()
    spread = factor.square().sum() + factor_2.square().sum()  # the two traces
    shared = torch.linalg.svdvals(factor.T @ factor_2).sum()
    return max(0.0, float(shift + spread - 2 * shared))


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    r"""``gaussian_frechet`` of the means and covariances of two clouds, (N, d) and (M, d).

    What the field calls the Fréchet distance, and with Inception's features FID
    [heusel2017gans]: the squared one, in squared units of the features. It compares numbers from
    one network only. It sees two moments: clouds that share them are at distance 0.

    It is biased upwards: two samples of one distribution are apart, by about $1/N + 1/M$ times a
    constant that grows with d. Compare at one N and M, and with the floor at these.
    """
    _clouds(real, generated, least=2)
    return gaussian_frechet(*_moments(real), *_moments(generated))


class PrecisionRecall(NamedTuple):
    """Two shares, as the zeros and ones whose means they are."""

    precision: Tensor  # (M,) whether a generated example is near the real ones
    recall: Tensor  # (N,) whether a real example is near the generated ones


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> PrecisionRecall:
    r"""Which generated are plausible, which real are covered [kynkaanniemi2019improved].

    A cloud's manifold is the union of balls around its points, each reaching to the point's
    ``k``-th neighbour in the cloud. Precision is the share of ``generated`` (M, d) in the manifold
    of ``real`` (N, d), recall the share of ``real`` in that of ``generated``. Both are 1 for a
    cloud against itself, and below 1 for two of the same distribution. Recall is generous to
    clouds with outliers, whose balls are large.
    """
    _clouds(real, generated, least=_neighbours(k) + 1)
    return PrecisionRecall(
        _inside(generated, real, _radii(real, k)), _inside(real, generated, _radii(generated, k))
    )


class DensityCoverage(NamedTuple):
    """Two numbers, as the terms whose means they are."""

    density: Tensor  # (M,) real balls that hold a generated example, of the k to be expected
    coverage: Tensor  # (N,) whether the ball of a real example holds a generated one


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> DensityCoverage:
    r"""The same two questions with balls around the real alone [naeem2020reliable].

    $B_i$ is the open ball around the real $x_i$ up to its ``k``-th neighbour. Density is the mean
    over generated $y_j$ of $\frac1k \sum_i \mathbf 1[y_j \in B_i]$, which can pass 1; coverage the
    share of $B_i$ that hold a $y_j$. ``real``: (N, d), ``generated``: (M, d).

    Of equal distributions the density is 1 on average, and the coverage

    $$1 - \prod_{i=0}^{k-1} \frac{N - 1 - i}{N + M - 1 - i} \approx 1 - 2^{-k}
    \quad\text{for } N = M,$$

    whatever they are: that is the floor, without a second sample.
    """
    _clouds(real, generated, least=1)
    if len(real) <= _neighbours(k):
        raise ValueError(f"real must have at least {k + 1} rows, one more than k, got {len(real)}")
    radii = _radii(real, k)
    held = torch.zeros(len(generated), dtype=real.dtype, device=real.device)  # (M,)
    covered = []
    for centres, reach in zip(torch.split(real, BLOCK), torch.split(radii, BLOCK), strict=True):
        within = _distances(centres, generated) < reach[:, None]  # (block, M)
        held += within.sum(0)
        covered.append(within.any(1))
    return DensityCoverage(held / k, torch.cat(covered).to(real.dtype))


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float


def bootstrap(
    statistic: Callable[..., Tensor | float],
    *samples: Tensor,
    generator: torch.Generator,
    draws: int = 200,
    level: float = 0.95,
) -> Interval:
    r"""How far ``statistic(*samples)`` would move with other samples of the same sizes.

    Each sample's rows are drawn anew, with replacement, ``draws`` times. The interval holds the
    middle ``level`` of the deviations of these values from their own mean, around the value
    itself: drawing rows twice adds a bias to a Fréchet distance, and this takes it out again. The
    bias that the distance has at its N and M is not touched: an interval compares with others at
    the same sizes, and with the floor. Close to the floor it is too wide.

    Bind a sample that all models share: ``bootstrap(lambda g: frechet_distance(real, g),
    generated, generator=...)``. The terms of precision and the like are a sample themselves:
    ``bootstrap(torch.mean, terms.precision, generator=...)``, with the balls held fixed.
    """
    if not callable(statistic):
        raise TypeError(f"statistic must be a function, got {type(statistic).__name__}")
    if not samples:
        raise ValueError("samples must be at least one tensor, got none")
    for position, sample in enumerate(samples):
        checks.tensor(f"samples[{position}]", sample)
        if sample.ndim < 1:
            raise ValueError(f"samples[{position}] must have rows, got a single number")
    checks.instance("generator", generator, torch.Generator)
    checks.integer("draws", draws, low=2)
    checks.number("level", level, above=0, high=1)
    value = float(statistic(*samples))
    again = []
    for _ in range(draws):
        rows = [
            torch.randint(len(s), (len(s),), generator=generator, device=generator.device)
            for s in samples
        ]
        again.append(
            float(statistic(*(s[r.to(s.device)] for s, r in zip(samples, rows, strict=True))))
        )
    found = torch.tensor(again, dtype=torch.float64)
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = (value + (found - found.mean()).quantile(tails)).tolist()
    return Interval(low, high)


def _clouds(real: Tensor, generated: Tensor, least: int) -> None:
    checks.tensor("real", real, ("N", "d"))
    checks.tensor("generated", generated, ("M", real.shape[1]))
    if generated.dtype != real.dtype:
        raise TypeError(f"generated must hold {real.dtype}, as real does, got {generated.dtype}")
    for name, cloud in (("real", real), ("generated", generated)):
        if len(cloud) < least:
            raise ValueError(f"{name} must have at least {least} rows, got {len(cloud)}")


def _neighbours(k: int) -> int:
    return checks.integer("k", k)


def _moments(cloud: Tensor) -> tuple[Tensor, Tensor]:
    rows = cloud.double()
    return rows.mean(0), rows.T.cov().reshape(rows.shape[1], -1)  # (d,), (d, d)


def _factor(name: str, covariance: Tensor) -> Tensor:
    r"""$F$ with $F F^\top = \Sigma$, from the eigenvalues: also where some are 0."""
    exact = covariance.double()
    scale = exact.abs().max().item()
    if (exact - exact.T).abs().max() > 1e-6 * scale:
        raise ValueError(f"{name} must be symmetric, got a matrix that is not")
    variances, axes = torch.linalg.eigh((exact + exact.T) / 2)
    if variances.min() < -1e-6 * scale:
        raise ValueError(f"{name} must have no negative variance, got {variances.min().item():.3g}")
    factor: Tensor = axes * variances.clamp(min=0).sqrt()
    return factor  # (d, d)


def _distances(rows: Tensor, others: Tensor) -> Tensor:
    # from differences, not from products: then a point is at distance 0 from itself, exactly
    apart: Tensor = torch.cdist(rows, others, compute_mode="donot_use_mm_for_euclid_dist")
    return apart


def _radii(cloud: Tensor, k: int) -> Tensor:
    """The distance of each point to its k-th neighbour in the cloud, itself left out: (N,)."""
    nearest = [
        _distances(rows, cloud).topk(k + 1, dim=1, largest=False).values[:, k]
        for rows in torch.split(cloud, BLOCK)
    ]
    return torch.cat(nearest)


def _inside(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """1 for a point in one of the closed balls, else 0."""
    found = [(_distances(rows, centres) <= radii).any(1) for rows in torch.split(points, BLOCK)]
    return torch.cat(found).to(points.dtype)
