"""Linear probes: what can be read off by construction, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecore.metrics.probes import few_labels, probe_accuracy

LABELS = torch.arange(10).repeat(20)


def draw(number=0):
    return torch.Generator().manual_seed(number)


@given(st.integers(1, 20), st.integers(0, 5))
def test_few_labels_takes_as_many_of_each_class(per_class, number):
    rows = few_labels(LABELS, per_class, draw(number))
    assert LABELS[rows].bincount().tolist() == [per_class] * 10
    assert len(rows.unique()) == len(rows)
    assert torch.equal(rows, few_labels(LABELS, per_class, draw(number)))


def test_few_labels_moves_with_the_generator():
    assert not torch.equal(few_labels(LABELS, 3, draw(0)), few_labels(LABELS, 3, draw(1)))


def test_class_in_the_codes_is_read_off():
    codes = torch.nn.functional.one_hot(LABELS, 10).float()
    assert probe_accuracy(codes, LABELS, codes, LABELS) == 1


def test_codes_without_the_class_leave_it_to_chance():
    codes = torch.randn(200, 5, generator=draw())
    other = torch.randn(2000, 5, generator=draw(1))
    assert probe_accuracy(codes, LABELS, other, torch.arange(10).repeat(200)) < 0.2


def test_scale_of_a_code_does_not_matter():
    codes = torch.randn(200, 5, generator=draw()) + 0.5 * LABELS[:, None]
    scale = torch.tensor([1e-3, 1.0, 1e3, 7.0, 0.1])
    plain = probe_accuracy(codes, LABELS, codes, LABELS)
    assert 0.2 < plain < 1
    assert probe_accuracy(codes * scale, LABELS, codes * scale, LABELS) == plain


def test_bad_input_is_refused():
    codes = torch.randn(200, 5, generator=draw())
    with pytest.raises(ValueError, match=r"per_class must be at most 20.*got 21"):
        few_labels(LABELS, 21, draw())
    with pytest.raises(TypeError, match="labels must be whole numbers"):
        few_labels(LABELS.float(), 1, draw())
    with pytest.raises(TypeError, match="generator must be Generator"):
        few_labels(LABELS, 1, 0)
    with pytest.raises(ValueError, match=r"labels must have shape \(200,\)"):
        probe_accuracy(codes, LABELS[:-1], codes, LABELS)
    with pytest.raises(ValueError, match="test_codes must have shape"):
        probe_accuracy(codes, LABELS, codes[:, :4], LABELS)
    with pytest.raises(ValueError, match="codes must be finite"):
        probe_accuracy(codes / 0, LABELS, codes, LABELS)
    with pytest.raises(ValueError, match="labels must name at least 2 classes"):
        probe_accuracy(codes, LABELS * 0, codes, LABELS)
    with pytest.raises(ValueError, match="penalty must be greater than 0"):
        probe_accuracy(codes, LABELS, codes, LABELS, penalty=0)
