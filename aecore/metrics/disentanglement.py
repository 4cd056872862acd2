r"""Does each latent follow one cause? Three measures, for data whose causes are known.

- ``mutual_information``       $I(z_j; v_k)$ of every latent and every factor, in nats
- ``mutual_information_gap``   MIG [chen2018isolating]
- ``disentanglement_completeness_informativeness``  DCI [eastwood2018framework]
- ``separated_attribute_predictability``            SAP [kumar2018variational]

``latents`` are (N, q), *draws* from the posterior, several of each image. Its means will not do:
a latent of which all means lie within $10^{-4}$ tells nothing through a noise of 1, yet its means
may order the images as well as any other's. ``factors`` are (N, K), whole numbers from 0. No
measure changes if latents are permuted, mirrored or scaled; all do if they are rotated.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import train_test_split
from torch import Tensor

from aecore import checks

BINS = 24  # cut where values change, if a latent is a factor of 2, 3, 4, 6, 8 or 12 of them


def mutual_information(latents: Tensor, factors: Tensor) -> Tensor:
    r"""$I(z_j; v_k) = \sum p(z_j, v_k) \log \frac{p(z_j, v_k)}{p(z_j)\, p(v_k)}$: (q, K), in nats.

    Each latent is cut into 24 bins of equal shares, which no monotone change of it moves. From N
    draws, a latent that tells nothing about a factor of V values comes out near
    $23\,(V - 1) / 2N$, not at 0.
    """
    _refuse(latents, factors)
    binned = _bins(latents)
    values = factors.numpy(force=True)
    table = [[mutual_info_score(v, z) for v in values.T] for z in binned.T]
    return torch.tensor(table, dtype=torch.float64)  # (q, K)


def mutual_information_gap(latents: Tensor, factors: Tensor) -> Tensor:
    r"""MIG: $\bigl(I(z_{j_k}; v_k) - \max_{j \ne j_k} I(z_j; v_k)\bigr) / H(v_k)$: (K,).

    $j_k$ is the latent that tells most about the factor; what the second best tells is taken off
    [chen2018isolating]. 1 if one latent tells all of a factor and no other tells any; 0 if two
    latents share it equally, or none tells any. The score of a model is the mean over factors.
    """
    information = mutual_information(latents, factors)  # (q, K)
    if len(information) < 2:
        raise ValueError(f"latents must have at least 2 columns, got {len(information)}")
    best, second = information.topk(2, dim=0).values
    gap: Tensor = (best - second) / _entropies(factors)
    return gap  # (K,)


@dataclass(frozen=True)
class DCI:
    """Three numbers from one table of importances, and the table: (q, K), columns with sum 1.

    ``disentanglement``: each latent serves one factor. ``completeness``: each factor is served by
    one latent. ``informativeness``: the share of factor values named correctly from the latents.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Tensor


def disentanglement_completeness_informativeness(
    latents: Tensor, factors: Tensor, *, seed: int
) -> DCI:
    r"""DCI [eastwood2018framework], with a small random forest for each factor.

    $R_{jk}$ is the importance of latent j for naming factor k, by how much it lowers the impurity.
    Disentanglement is $\sum_j \rho_j \bigl(1 - H(R_{jk} / \sum_k R_{jk}) / \log K\bigr)$ with
    $\rho_j$ the latent's share of all importance; completeness is the mean over k of
    $1 - H(R_{jk}) / \log q$. Half of the rows, drawn at random, train the forests, the others score
    them. ``seed`` is that of both.
    """
    _refuse(latents, factors)
    checks.integer("seed", seed, low=0)
    if latents.shape[1] < 2 or factors.shape[1] < 2:
        raise ValueError(
            f"latents and factors must have at least 2 columns each, "
            f"got {latents.shape[1]} and {factors.shape[1]}"
        )
    z, z_new, values, values_new = train_test_split(
        latents.numpy(force=True), factors.numpy(force=True), test_size=0.5, random_state=seed
    )
    columns, named = [], []
    for v, v_new in zip(values.T, values_new.T, strict=True):
        forest = RandomForestClassifier(10, max_depth=8, max_features=None, random_state=seed)
        forest.fit(z, v)
        columns.append(forest.feature_importances_)
        named.append(forest.score(z_new, v_new))
    R = np.stack(columns, 1)  # (q, K)
    R[:, R.sum(0) == 0] = 1 / len(R)  # no latent was of any use: none is preferred
    q, K = R.shape
    shares = R.sum(1) / K
    by_latent = 1 - _entropy(R / np.maximum(R.sum(1, keepdims=True), 1e-300), 1) / np.log(K)
    by_factor = 1 - _entropy(R, 0) / np.log(q)
    return DCI(
        float((shares * by_latent).sum()),
        float(by_factor.mean()),
        float(np.mean(named)),
        torch.from_numpy(R),
    )


def separated_attribute_predictability(latents: Tensor, factors: Tensor) -> Tensor:
    r"""SAP: the gap between the best and the second-best latent in $R^2$, of each factor: (K,).

    $R^2_{jk}$ is the squared correlation of latent j and factor k, what a straight line explains,
    so a factor's values should be in an order that means something [kumar2018variational].
    """
    _refuse(latents, factors)
    if latents.shape[1] < 2:
        raise ValueError(f"latents must have at least 2 columns, got {latents.shape[1]}")
    z, v = latents.double(), factors.double()
    z, v = z - z.mean(0), v - v.mean(0)
    spread = (z.square().sum(0)[:, None] * v.square().sum(0)).clamp(min=1e-300)
    explained = (z.T @ v).square() / spread  # (q, K)
    best, second = explained.topk(2, dim=0).values
    gap: Tensor = best - second
    return gap  # (K,)


def _bins(latents: Tensor) -> NDArray[np.int64]:
    """The bin of each value, 0 to 23, equally filled where values differ: (N, q)."""
    z = latents.numpy(force=True)
    cuts = np.quantile(z, np.arange(1, BINS) / BINS, axis=0)  # (23, q)
    return np.stack([np.searchsorted(c, column) for c, column in zip(cuts.T, z.T, strict=True)], 1)


def _entropies(factors: Tensor) -> Tensor:
    entropies = [
        _entropy(column.bincount().numpy(force=True) / len(column), 0) for column in factors.T
    ]
    return torch.tensor(np.array(entropies))  # (K,)


def _entropy(p: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = -xlogy(p, p).sum(axis)
    return entropy


def _refuse(latents: Tensor, factors: Tensor) -> None:
    checks.tensor("latents", latents, ("N", "q"))
    checks.instance("factors", factors, Tensor)
    if factors.is_floating_point() or factors.dtype == torch.bool or factors.ndim != 2:
        raise TypeError(
            f"factors must be whole numbers of shape (N, K), "
            f"got {factors.dtype} {tuple(factors.shape)}"
        )
    if len(factors) != len(latents) or not factors.shape[1]:
        raise ValueError(
            f"factors must have a row for each of the latents, shape ({len(latents)}, K), "
            f"got {tuple(factors.shape)}"
        )
    for k, column in enumerate(factors.T):
        if int(column.min()) < 0 or bool((column == column[0]).all()):
            raise ValueError(
                f"factors must be at least 0, and not all the same, got column {k} with "
                f"{int(column.min())} to {int(column.max())}"
            )
