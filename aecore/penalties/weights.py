"""Weight decay: the squared length of the weights [krogh1992simple]."""

import torch
from torch import Tensor, nn

from aecore import checks


def weight_decay(model: nn.Module) -> Tensor:
    r"""$\lVert W \rVert^2 = \sum_l \lVert W_l \rVert_F^2$ over the weights of ``model``, a scalar.

    Weights are the parameters with two dimensions or more; biases are left alone, for a shift costs
    no capacity. A weight that two layers share counts once. The penalty does not depend on an
    example, so added to each example's loss with a weight $\lambda$ it is $\lambda \lVert W
    \rVert^2$ in the mean over the batch, whatever the batch's size.

    In squared units of the weights. ``ValueError`` if the model has no weights.
    """
    checks.instance("model", model, nn.Module)
    weights = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    if not weights:
        raise ValueError("model must have weights, parameters of 2 or more dimensions, got none")
    return torch.stack([weight.square().sum() for weight in weights]).sum()
