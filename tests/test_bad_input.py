"""One sweep over every function that takes tensors: bad input is refused with the argument's name.

Where a model's output comes in, NaN passes: the training loop stops there, and names the step.
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from aecore.data import Labelled
from aecore.metrics.recognition import Judge
from aecore.metrics.reconstruction import (
    explained_variance,
    psnr,
    squared_error_per_image,
    ssim,
)
from aecore.models import Autoencoder, DigitClassifier
from aecore.objectives import (
    bce_with_logits,
    bernoulli_log_likelihood,
    binary_entropy,
    gaussian_log_likelihood,
    squared_error,
)
from aecore.randomness import generator, initialise

VECTORS = torch.eye(3, 4)
IMAGES = torch.rand(3, 1, 28, 28, generator=generator("bad input"))
LABELLED = Labelled(IMAGES, torch.arange(3))
MODEL = initialise(Autoencoder([4, 4]), generator("bad input"))
CLASSIFIER = initialise(DigitClassifier(), generator("bad input"))

# function, argument → the call with that argument, a good value for it
CALLS = {
    ("squared_error", "prediction"): (lambda v: squared_error(v, VECTORS), VECTORS),
    ("squared_error", "target"): (lambda v: squared_error(VECTORS, v), VECTORS),
    ("bce_with_logits", "logits"): (lambda v: bce_with_logits(v, VECTORS), VECTORS),
    ("bce_with_logits", "target"): (lambda v: bce_with_logits(VECTORS, v), VECTORS),
    ("binary_entropy", "target"): (binary_entropy, VECTORS),
    ("bernoulli", "x"): (lambda v: bernoulli_log_likelihood(v, VECTORS), VECTORS),
    ("bernoulli", "logits"): (lambda v: bernoulli_log_likelihood(VECTORS, v), VECTORS),
    ("gaussian", "x"): (lambda v: gaussian_log_likelihood(v, VECTORS, 1), VECTORS),
    ("gaussian", "mean"): (lambda v: gaussian_log_likelihood(VECTORS, v, 1), VECTORS),
    ("gaussian", "sigma"): (
        lambda v: gaussian_log_likelihood(VECTORS, VECTORS, v), VECTORS + 1,
    ),
    ("squared_error_per_image", "reconstruction"): (
        lambda v: squared_error_per_image(v, IMAGES), IMAGES,
    ),
    ("squared_error_per_image", "original"): (
        lambda v: squared_error_per_image(IMAGES, v), IMAGES,
    ),
    ("psnr", "reconstruction"): (lambda v: psnr(v, IMAGES), IMAGES),
    ("psnr", "original"): (lambda v: psnr(IMAGES, v), IMAGES),
    ("ssim", "reconstruction"): (lambda v: ssim(v, IMAGES), IMAGES),
    ("ssim", "original"): (lambda v: ssim(IMAGES, v), IMAGES),
    ("explained_variance", "reconstruction"): (lambda v: explained_variance(v, IMAGES), IMAGES),
    ("explained_variance", "original"): (lambda v: explained_variance(IMAGES, v), IMAGES),
    ("Labelled", "images"): (lambda v: Labelled(v, torch.arange(3)), IMAGES),
    ("Judge", "images"): (Judge(CLASSIFIER, LABELLED, LABELLED), IMAGES),
    ("Autoencoder", "x"): (MODEL, VECTORS),
    ("Autoencoder.encode", "x"): (MODEL.encode, VECTORS),
    ("Autoencoder.decode", "z"): (MODEL.decode, VECTORS),
    ("DigitClassifier", "x"): (CLASSIFIER, IMAGES),
}  # fmt: skip
OUTPUTS = {
    ("squared_error", "prediction"), ("bce_with_logits", "logits"), ("bernoulli", "logits"),
    ("gaussian", "mean"), ("Autoencoder", "x"), ("Autoencoder.encode", "x"),
    ("Autoencoder.decode", "z"), ("DigitClassifier", "x"),
}  # fmt: skip
# where a shape is free, the ones that are good
FREE = {
    ("binary_entropy", "target"): lambda shape: len(shape) >= 2,
    ("gaussian", "sigma"): lambda shape: all(side == 1 for side in shape),
    ("Labelled", "images"): lambda shape: len(shape) == 4,
}

each = pytest.mark.parametrize("call", CALLS, ids=" ".join)
BAD_TYPES = st.one_of(
    st.sampled_from([torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64]).map(
        lambda dtype: lambda good: good.to(dtype)
    ),
    st.sampled_from([lambda good: good.numpy(), lambda good: good.tolist()]),
    st.sampled_from([None, "x", object(), np.ones(3)]).map(lambda value: lambda good: value),
)


@each
def test_the_good_value_is_good(call):
    function, good = CALLS[call]
    function(good)


@each
@given(make=BAD_TYPES)
def test_a_wrong_type_is_refused_by_name(call, make):
    function, good = CALLS[call]
    with pytest.raises(TypeError, match=rf"^{call[1]} must (be|hold) "):
        function(make(good))


@each
@given(shape=st.lists(st.integers(0, 5), max_size=5))
def test_a_wrong_shape_is_refused_by_name(call, shape):
    function, good = CALLS[call]
    assume(len(shape) != good.ndim or tuple(shape[1:]) != good.shape[1:])
    assume(0 in shape or not FREE.get(call, lambda shape: False)(shape))
    with pytest.raises(ValueError, match=r" must ") as refused:
        function(torch.ones(shape))
    # a pair that does not match may be told from either side
    assert call[1] in str(refused.value)


@each
def test_an_empty_batch_is_refused_by_name(call):
    function, good = CALLS[call]
    with pytest.raises(ValueError, match=rf"^{call[1]} must not be empty, got shape \(0, "):
        function(good[:0])


@each
@given(bad=st.sampled_from([float("nan"), float("inf"), float("-inf")]), data=st.data())
def test_nan_is_refused_by_name_or_passed_on(call, bad, data):
    function, good = CALLS[call]
    value = good.clone()
    value.view(-1)[data.draw(st.integers(0, value.numel() - 1))] = bad
    if call in OUTPUTS:
        assert not function(value).isfinite().all()
    else:
        with pytest.raises(ValueError, match=rf"^{call[1]} must be finite"):
            function(value)
