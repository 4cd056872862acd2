r"""How far a code moves with its input: $\lVert J_f(x) \rVert_F^2$, exactly or estimated.

$J_f(x)$, of shape (q, d), is the Jacobian of the encoder $f$ at one example. Its squared Frobenius
norm is the contractive penalty [rifai2011contractive]; for noise of covariance $\sigma^2 I$ it is
$\mathbb E \lVert f(x + \varepsilon) - f(x) \rVert^2 / \sigma^2$ as $\sigma \to 0$. Four ways to it:

- ``sigmoid_jacobian_norm``       an encoder of one sigmoid layer, in closed form
- ``two_layer_jacobian_norm``     a hidden layer and an affine code, in closed form
- ``jacobian``, ``jacobian_norm`` any encoder, by as many pullbacks as the code has numbers
- ``hutchinson_norm``             any encoder, by one pullback of a random sign vector: unbiased

All return one number an example, (B,), in squared units of the code over squared units of the
input, and can be differentiated by the encoder's parameters.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import vjp, vmap

from aecore import checks

Encode = Callable[[Tensor], Tensor]


def sigmoid_jacobian_norm(h: Tensor, weight: Tensor) -> Tensor:
    r"""$\lVert J_f \rVert_F^2 = \sum_j [h_j (1 - h_j)]^2 \lVert W_j \rVert^2$, one sigmoid layer.

    For $f(x) = h = \sigma(W x + b)$.
    ``h``: (B, q), the codes, after the sigmoid. ``weight``: (q, d), that of the layer. Returns
    (B,). It costs a sum of squares over the weights and one product with the codes: no Jacobian
    is formed [rifai2011contractive].

    Raises ``ValueError`` for an ``h`` outside [0, 1]: that would be what goes into the sigmoid.
    """
    # NaN passes: a diverging model is stopped by the training loop, which names the step
    checks.tensor("h", h, ("B", "q"), finite=False)
    checks.tensor("weight", weight, ("q", "d"), finite=False)
    if len(weight) != h.shape[1]:
        raise ValueError(
            f"weight must have a row for each of the {h.shape[1]} units of h, "
            f"got shape {tuple(weight.shape)}"
        )
    for extreme in torch.aminmax(h.detach()):
        if math.isfinite(extreme) and not 0 <= extreme <= 1:
            raise ValueError(
                f"h must be in [0, 1], got {float(extreme):g}: it is the code after the sigmoid"
            )
    slopes = h * (1 - h)  # (B, q)
    # the root is undone: its gradient takes one pass over the weights, that of a sum of squares two
    lengths: Tensor = torch.linalg.vector_norm(weight, dim=1)  # (q,)
    return slopes.square() @ lengths.square()  # (B,)


def two_layer_jacobian_norm(slopes: Tensor, first: Tensor, second: Tensor) -> Tensor:
    r"""$\lVert J_f \rVert_F^2 = s^\top [(W_1 W_1^\top) \circ (W_2^\top W_2)]\, s$, ∘ by entries.

    For $f(x) = W_2\, a(W_1 x + b_1) + b_2$ with any activation $a$ that acts on each unit alone:
    $J_f = W_2\, \mathrm{diag}(s)\, W_1$.
    ``slopes``: (B, h), the derivatives $s = a'(W_1 x + b_1)$; ``first``: (h, d); ``second``:
    (q, h). Returns (B,). The matrix between the slopes is the same for the whole batch and has
    h² entries, whatever q is: neither the Jacobian nor anything of its size is formed.
    """
    checks.tensor("slopes", slopes, ("B", "h"), finite=False)
    checks.tensor("first", first, ("h", "d"), finite=False)
    checks.tensor("second", second, ("q", "h"), finite=False)
    hidden = slopes.shape[1]
    for name, layer, units, what in (
        ("first", first, first.shape[0], "row"),
        ("second", second, second.shape[1], "column"),
    ):
        if units != hidden:
            raise ValueError(
                f"{name} must have a {what} for each of the {hidden} slopes, "
                f"got shape {tuple(layer.shape)}"
            )
    between = (first @ first.T) * (second.T @ second)  # (h, h)
    return ((slopes @ between) * slopes).sum(1)  # (B,)


def jacobian(encode: Encode, x: Tensor) -> Tensor:
    r"""$J_f(x)$ of each example: (B, …) → (B, q, d), with d the number of values of an example.

    ``encode``: (B, …) → (B, q), a function that treats each example by itself (no batch norm in
    training mode). All q pullbacks of the batch are one batched product, no loop over outputs.
    """
    z, pull = _pullback(encode, x)
    batch, latent = z.shape
    rows = torch.eye(latent, dtype=z.dtype, device=z.device)  # (q, q)
    (pulled,) = vmap(pull)(rows[:, None, :].expand(latent, batch, latent))  # (q, B, …)
    return pulled.flatten(2).transpose(0, 1)  # (B, q, d)


def jacobian_norm(encode: Encode, x: Tensor) -> Tensor:
    r"""$\lVert J_f(x) \rVert_F^2$ of each example, exactly, for any encoder: (B, …) → (B,).

    As ``jacobian``, whose B·q·d numbers it holds in memory, several times over while training.
    """
    return jacobian(encode, x).square().sum((1, 2))  # (B,)


def hutchinson_norm(
    encode: Encode, x: Tensor, generator: torch.Generator, *, probes: int = 1
) -> Tensor:
    r"""$\frac1K \sum_k \lVert J_f(x)^\top v_k \rVert^2$, $v_k \in \{-1, 1\}^q$: (B, …) → (B,).

    Its mean is $\lVert J_f \rVert_F^2$, since $\mathbb E\, v v^\top = I$; its variance is
    $\frac2K \sum_{i \ne j} (J_f J_f^\top)_{ij}^2$ [hutchinson1990stochastic]. ``generator`` draws
    the signs $v_k$, anew for each example; ``probes`` is $K$. ``encode`` as for ``jacobian``.
    """
    checks.instance("generator", generator, torch.Generator)
    checks.integer("probes", probes)
    z, pull = _pullback(encode, x)
    shape = (probes, *z.shape)
    coins = torch.randint(0, 2, shape, generator=generator, device=generator.device)
    (pulled,) = vmap(pull)((2 * coins - 1).to(z))  # (K, B, …)
    return pulled.flatten(2).square().sum(2).mean(0)  # (B,)


def _pullback(encode: Encode, x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor]]]:
    """The codes (B, q), and the map from a batch of v (B, q) to the batch of $J_f^T v$ (B, …)."""
    if not callable(encode):
        raise TypeError(f"encode must be a function of x, got {type(encode).__name__}")
    checks.tensor("x", x)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (B, …), got {tuple(x.shape)}")
    z, pull = vjp(encode, x)  # type: ignore[misc]  # three values only where has_aux is asked for
    if z.ndim != 2 or len(z) != len(x):
        raise ValueError(f"encode must return shape ({len(x)}, q), got {tuple(z.shape)}")
    return z, pull
