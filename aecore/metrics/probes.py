"""Linear probes: what codes say about the class to a classifier that is only linear."""

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from aecore import checks


def few_labels(labels: Tensor, per_class: int, generator: torch.Generator) -> Tensor:
    """The rows of ``per_class`` random examples of each class: (classes · per_class,), sorted.

    ``labels``: (N,), whole numbers. ``ValueError`` if a class has fewer than ``per_class``.
    """
    _labels("labels", labels)
    checks.integer("per_class", per_class)
    checks.instance("generator", generator, torch.Generator)
    chosen = []
    for label in sorted(set(labels.tolist())):
        members = torch.nonzero(labels == label).flatten()
        if len(members) < per_class:
            raise ValueError(
                f"per_class must be at most {len(members)}, the examples of class {label}, "
                f"got {per_class}"
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(chosen).sort().values


def probe_accuracy(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, *, penalty: float = 1.0
) -> float:
    r"""The share of test examples that logistic regression on the codes names correctly.

    ``codes``: (N, q), ``labels``: (N,), the same for the test. Each code is scaled to mean 0 and
    variance 1 over the training examples, as the L2 penalty would otherwise favour the largest.
    ``penalty`` is its weight against the log-likelihood, summed over examples; scikit-learn's
    ``1 / C``.
    """
    checks.tensor("codes", codes, ("N", "q"))
    checks.tensor("test_codes", test_codes, ("N", codes.shape[1]))
    for name, value, rows in (("labels", labels, codes), ("test_labels", test_labels, test_codes)):
        _labels(name, value)
        if len(value) != len(rows):
            raise ValueError(f"{name} must have shape ({len(rows)},), got {tuple(value.shape)}")
    checks.number("penalty", penalty, above=0)
    if bool((labels == labels[0]).all()):
        raise ValueError("labels must name at least 2 classes, got 1")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=2000))
    probe.fit(codes.numpy(force=True), labels.numpy(force=True))
    return float(probe.score(test_codes.numpy(force=True), test_labels.numpy(force=True)))


def _labels(name: str, value: Tensor) -> None:
    checks.instance(name, value, Tensor)
    if value.is_floating_point() or value.dtype == torch.bool or value.ndim != 1:
        raise TypeError(
            f"{name} must be whole numbers of shape (N,), got {value.dtype} {tuple(value.shape)}"
        )
    if not len(value):
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
