"""What many active units cost: the size of their codes, or a rate of firing that is not wanted."""

import torch
from torch import Tensor

from aecore import checks


def l1(codes: Tensor) -> Tensor:
    r"""$\lVert z \rVert_1 = \sum_j |z_j|$: what the lasso adds to a squared error
    [tibshirani1996regression].

    ``codes``: (B, units). Returns (B,), in units of the code. It makes zeros only where the
    activation can return 0.
    """
    # a model's output may be NaN: that is for the training loop to catch and to date
    checks.tensor("codes", codes, ("B", "units"), finite=False)
    return codes.abs().sum(1)  # (B,)


def kl_sparsity(codes: Tensor, rate: float) -> Tensor:
    r"""$\sum_j D_{\mathrm{KL}}(\rho \,\Vert\, \hat\rho_j) = \sum_j \rho \log\frac{\rho}{\hat\rho_j}
    + (1 - \rho) \log\frac{1 - \rho}{1 - \hat\rho_j}$ [lee2007sparse, ng2011sparse].

    $\hat\rho_j$ is the mean of unit $j$ over the batch, $\rho$ = ``rate`` the mean that is wanted.
    ``codes``: (B, units) with values in [0, 1], such as a sigmoid's. Returns one number, in nats:
    it belongs to the batch and not to an example. Infinite if a mean is 0 or 1.
    """
    checks.tensor("codes", codes, ("B", "units"), finite=False)
    checks.number("rate", rate, above=0)
    if rate >= 1:
        raise ValueError(f"rate must be less than 1, got {rate}")
    low, high = (float(v) for v in torch.aminmax(codes.detach()))
    if -torch.inf < low < 0 or 1 < high < torch.inf:  # infinite ones are a diverging model's
        raise ValueError(f"codes must be in [0, 1], got values from {low:g} to {high:g}")
    means = codes.mean(0)  # (units,)
    divergence = rate * (rate / means).log() + (1 - rate) * ((1 - rate) / (1 - means)).log()
    return divergence.sum()
