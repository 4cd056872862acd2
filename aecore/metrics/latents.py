"""What a latent space holds: which of its dimensions say anything about the data."""

from torch import Tensor

from aecore import checks


def active_units(means: Tensor, *, threshold: float = 0.01) -> Tensor:
    r"""Which latents are in use, $\mathrm{Var}_x(\mathbb E_q[z_j]) >$ ``threshold``: (q,), bool.

    ``means``: (N, q), the posterior means of N examples. The variance is over the examples,
    divided by N; under a prior of variance 1 it is near 1 for a latent that tells much
    and 0 for one that has collapsed [burda2016importance].
    """
    checks.tensor("means", means, ("N", "q"))
    checks.number("threshold", threshold, low=0)
    if len(means) < 2:
        raise ValueError(f"means must have at least 2 rows, got {len(means)}")
    return means.var(0, correction=0) > threshold  # (q,)
