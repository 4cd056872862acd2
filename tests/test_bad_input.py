"""One sweep over every function that takes tensors: bad input is refused with the argument's name.

Where a model's output comes in, NaN passes: the training loop stops there, and names the step.
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from aecore.bounds import (
    effective_sample_size,
    importance_bound,
    kl_divergence,
    log_weights,
    negative_elbo,
)
from aecore.corruption import gaussian, mask_patches, masking, salt_and_pepper
from aecore.data import Labelled, Rendered
from aecore.data.faces import render
from aecore.data.toy2d import GaussianMixture
from aecore.decomposition import log_aggregate, minibatch_total_correlation
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.metrics.disentanglement import (
    disentanglement_completeness_informativeness,
    mutual_information,
    mutual_information_gap,
    separated_attribute_predictability,
)
from aecore.metrics.generation import (
    density_coverage,
    frechet_distance,
    precision_recall,
    sharpness,
    variety,
)
from aecore.metrics.latents import active_units
from aecore.metrics.recognition import Judge
from aecore.metrics.reconstruction import (
    explained_variance,
    psnr,
    squared_error_per_image,
    ssim,
)
from aecore.metrics.sparsity import best_cosines, dead_units, energy_in_window, l0, top_purity
from aecore.metrics.spectrum import near_nyquist_power
from aecore.models import (
    Autoencoder,
    ConvolutionalVAE,
    DigitClassifier,
    FactorRegressor,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from aecore.models.adversarial import (
    GAN,
    VAEGAN,
    adversarial_loss,
    play,
    vae_gan_loss,
)
from aecore.models.denoisers import ImageDenoiser, PlaneDenoiser, VectorDenoiser, features
from aecore.models.diffusion import (
    Diffusion,
    convert,
    cosine_schedule,
    diffusion_loss,
)
from aecore.models.quantizer import VectorQuantizer
from aecore.models.variational import normal_posterior
from aecore.models.vector_quantized import TwoLevelAutoencoder, VectorQuantizedAutoencoder
from aecore.objectives import (
    bce_with_logits,
    bernoulli_log_likelihood,
    binary_entropy,
    gaussian_log_likelihood,
    squared_error,
)
from aecore.penalties.contraction import (
    hutchinson_norm,
    jacobian,
    jacobian_norm,
    sigmoid_jacobian_norm,
    two_layer_jacobian_norm,
)
from aecore.penalties.sparsity import kl_sparsity, l1
from aecore.randomness import generator, initialise

VECTORS = torch.eye(3, 4)
LAYER = torch.eye(4, 5) + 1
IMAGES = torch.rand(3, 1, 28, 28, generator=generator("bad input"))
LABELLED = Labelled(IMAGES, torch.arange(3))
MODEL = initialise(Autoencoder([4, 4]), generator("bad input"))
SPARSE = initialise(SparseAutoencoder(4, 8, nn.ReLU()), generator("bad input"))
CODES = torch.rand(3, 8, generator=generator("bad input"))
CLASSIFIER = initialise(DigitClassifier(), generator("bad input"))
VAE = initialise(VariationalAutoencoder([4, 2], Gaussian(1.0)), generator("bad input"))
POSTERIOR = VAE.encode(VECTORS)
CONVOLUTIONAL = initialise(ConvolutionalVAE([1, 8], 28, 2, Gaussian(1.0)), generator("bad input"))
REGRESSOR = initialise(FactorRegressor(2), generator("bad input"))
COLOURED = torch.rand(3, 3, 64, 64, generator=generator("bad input"))
PLANE = torch.eye(3, 2)
GRID = IMAGES[:, 0, :3, :].reshape(3, 4, 3, 7)
QUANTIZER = VectorQuantizer(5, 4)
# wide enough that an infinite pixel does not meet dead units alone
VQ = initialise(VectorQuantizedAutoencoder(1, QUANTIZER, width=16), generator("bad input"))
TWO_LEVEL = TwoLevelAutoencoder(1, QUANTIZER, QUANTIZER, width=16, halvings=1)
TWO_LEVEL = initialise(TWO_LEVEL, generator("bad input"))
CAUSES = torch.tensor([[0, 0], [1, 1], [2, 0]])
FACTORS = torch.eye(3, 8)
MIXTURE = GaussianMixture(torch.ones(3) / 3, PLANE, 0.5)
DRAW = generator("bad input")

GAME = initialise(GAN(nn.Linear(2, 4), nn.Linear(4, 1), 2), generator("bad input"))
HYBRID = initialise(
    VAEGAN(nn.Linear(4, 4), nn.Linear(2, 4), nn.Linear(4, 1), 2, 4), generator("bad input")
)
WAVES = torch.eye(5, 3)
PLANE_NET = initialise(PlaneDenoiser(WAVES, 4), generator("bad input"))
IMAGE_NET = initialise(ImageDenoiser(2, 1), generator("bad input"))
VECTOR_NET = initialise(VectorDenoiser(4, hints=2, width=4), generator("bad input"))
STEPS = torch.tensor([1, 5, 10])
TIMES = torch.tensor([0.1, 0.5, 1.0])
DIFFUSION = Diffusion(PLANE_NET, cosine_schedule(10))
ROWS = IMAGES.flatten(1)

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
    ("Rendered", "images"): (lambda v: Rendered(v, VECTORS, tuple("abcd")), IMAGES),
    ("render", "factors"): (render, FACTORS),
    ("Judge", "images"): (Judge(CLASSIFIER, LABELLED, LABELLED), IMAGES),
    ("Autoencoder", "x"): (MODEL, VECTORS),
    ("Autoencoder.encode", "x"): (MODEL.encode, VECTORS),
    ("Autoencoder.decode", "z"): (MODEL.decode, VECTORS),
    ("DigitClassifier", "x"): (CLASSIFIER, IMAGES),
    ("gaussian noise", "x"): (lambda v: gaussian(v, 0.5, DRAW), VECTORS),
    ("masking", "x"): (lambda v: masking(v, 0.5, DRAW), VECTORS),
    ("salt_and_pepper", "x"): (lambda v: salt_and_pepper(v, 0.5, DRAW), VECTORS),
    ("mask_patches", "images"): (lambda v: mask_patches(v, 0.5, 4, DRAW), IMAGES),
    ("GaussianMixture.log_density", "x"): (MIXTURE.log_density, PLANE),
    ("GaussianMixture.score", "x"): (MIXTURE.score, PLANE),
    ("GaussianMixture.denoise", "x"): (lambda v: MIXTURE.denoise(v, 0.5), PLANE),
    ("SparseAutoencoder", "x"): (SPARSE, VECTORS),
    ("SparseAutoencoder.preactivations", "x"): (SPARSE.preactivations, VECTORS),
    ("SparseAutoencoder.encode", "x"): (SPARSE.encode, VECTORS),
    ("SparseAutoencoder.decode", "z"): (SPARSE.decode, CODES),
    ("SparseAutoencoder.start_at", "x"): (
        lambda v: SparseAutoencoder(4, 8, nn.ReLU()).start_at(v), VECTORS,
    ),
    ("l1", "codes"): (l1, CODES),
    ("kl_sparsity", "codes"): (lambda v: kl_sparsity(v, 0.1), CODES),
    ("l0", "codes"): (l0, CODES),
    ("dead_units", "codes"): (dead_units, CODES),
    ("energy_in_window", "images"): (lambda v: energy_in_window(v, 1), IMAGES),
    ("top_purity", "codes"): (lambda v: top_purity(v, torch.arange(3), 1), CODES),
    ("best_cosines", "atoms"): (lambda v: best_cosines(v, CODES), CODES),
    ("best_cosines", "others"): (lambda v: best_cosines(CODES, v), CODES),
    ("sigmoid_jacobian_norm", "h"): (lambda v: sigmoid_jacobian_norm(v, LAYER), VECTORS),
    ("sigmoid_jacobian_norm", "weight"): (lambda v: sigmoid_jacobian_norm(VECTORS, v), LAYER),
    ("two_layer_jacobian_norm", "slopes"): (
        lambda v: two_layer_jacobian_norm(v, LAYER, VECTORS), VECTORS,
    ),
    ("two_layer_jacobian_norm", "first"): (
        lambda v: two_layer_jacobian_norm(VECTORS, v, VECTORS), LAYER,
    ),
    ("two_layer_jacobian_norm", "second"): (
        lambda v: two_layer_jacobian_norm(VECTORS, LAYER, v), VECTORS,
    ),
    ("jacobian", "x"): (lambda v: jacobian(MODEL.encode, v), VECTORS),
    ("jacobian_norm", "x"): (lambda v: jacobian_norm(MODEL.encode, v), VECTORS),
    ("hutchinson_norm", "x"): (
        lambda v: hutchinson_norm(MODEL.encode, v, generator("bad input")), VECTORS,
    ),
    ("VariationalAutoencoder", "x"): (VAE, VECTORS),
    ("VariationalAutoencoder.encode", "x"): (lambda v: VAE.encode(v).mean, VECTORS),
    ("VariationalAutoencoder.decode", "z"): (VAE.decode, torch.eye(3, 2)),
    ("normal_posterior", "outputs"): (lambda v: kl_divergence(normal_posterior(v)), VECTORS),
    ("Bernoulli", "x"): (lambda v: Bernoulli().log_likelihood(v, VECTORS), VECTORS),
    ("Bernoulli", "outputs"): (lambda v: Bernoulli().log_likelihood(VECTORS, v), VECTORS),
    ("Gaussian", "x"): (lambda v: Gaussian(1.0).log_likelihood(v, VECTORS), VECTORS),
    ("Gaussian", "outputs"): (lambda v: Gaussian(1.0).log_likelihood(VECTORS, v), VECTORS),
    ("negative_elbo", "x"): (
        lambda v: negative_elbo(VAE, v, generator("noise"), beta=1), VECTORS,
    ),
    ("log_weights", "x"): (
        lambda v: log_weights(VAE, v, POSTERIOR, generator("noise"), samples=2), VECTORS,
    ),
    ("importance_bound", "log_weights"): (importance_bound, VECTORS),
    ("effective_sample_size", "log_weights"): (effective_sample_size, VECTORS),
    ("sharpness", "images"): (sharpness, IMAGES),
    ("variety", "images"): (variety, IMAGES),
    ("VectorQuantizer", "z"): (lambda v: QUANTIZER(v).commitment, GRID),
    ("VectorQuantizer.nearest", "rows"): (QUANTIZER.nearest, VECTORS),
    ("VectorQuantizedAutoencoder", "x"): (lambda v: VQ(v).commitment, IMAGES),
    ("VectorQuantizedAutoencoder.vectors", "x"): (VQ.vectors, IMAGES),
    ("VectorQuantizedAutoencoder.encode", "x"): (VQ.encode, IMAGES),
    ("TwoLevelAutoencoder", "x"): (lambda v: TWO_LEVEL(v).commitment, IMAGES),
    ("TwoLevelAutoencoder.encode", "x"): (TWO_LEVEL.encode, IMAGES),
    ("frechet_distance", "real"): (lambda v: frechet_distance(v, VECTORS), VECTORS),
    ("frechet_distance", "generated"): (lambda v: frechet_distance(VECTORS, v), VECTORS),
    ("precision_recall", "real"): (lambda v: precision_recall(v, VECTORS, k=1), VECTORS),
    ("precision_recall", "generated"): (lambda v: precision_recall(VECTORS, v, k=1), VECTORS),
    ("density_coverage", "real"): (lambda v: density_coverage(v, VECTORS, k=1), VECTORS),
    ("density_coverage", "generated"): (lambda v: density_coverage(VECTORS, v, k=1), VECTORS),
    ("active_units", "means"): (active_units, VECTORS),
    ("ConvolutionalVAE", "x"): (CONVOLUTIONAL, IMAGES),
    ("ConvolutionalVAE.encode", "x"): (lambda v: CONVOLUTIONAL.encode(v).mean, IMAGES),
    ("ConvolutionalVAE.decode", "z"): (CONVOLUTIONAL.decode, PLANE),
    ("ConvolutionalVAE.centre_on", "x"): (
        lambda v: ConvolutionalVAE([1, 8], 28, 2, Gaussian(1.0)).centre_on(v), IMAGES,
    ),
    ("FactorRegressor", "x"): (REGRESSOR, COLOURED),
    ("near_nyquist_power", "images"): (near_nyquist_power, IMAGES),
    ("log_aggregate", "z"): (lambda v: log_aggregate(v, POSTERIOR)[0], PLANE),
    ("minibatch_total_correlation", "z"): (
        lambda v: minibatch_total_correlation(v, POSTERIOR, 3), PLANE,
    ),
    ("mutual_information", "latents"): (lambda v: mutual_information(v, CAUSES), VECTORS),
    ("mutual_information_gap", "latents"): (
        lambda v: mutual_information_gap(v, CAUSES), VECTORS,
    ),
    ("dci", "latents"): (
        lambda v: disentanglement_completeness_informativeness(v, CAUSES, seed=0), VECTORS,
    ),
    ("sap", "latents"): (lambda v: separated_attribute_predictability(v, CAUSES), VECTORS),
    ("GAN", "z"): (GAME, torch.eye(3, 2)),
    ("adversarial_loss", "x"): (lambda v: adversarial_loss(GAME, v, DRAW), VECTORS),
    ("VAEGAN", "x"): (HYBRID, VECTORS),
    ("vae_gan_loss", "x"): (lambda v: vae_gan_loss(HYBRID, v, DRAW, weight=1), VECTORS),
    ("VAEGAN.decode", "z"): (HYBRID.decode, torch.eye(3, 2)),
    ("play", "x"): (
        lambda v: play(
            GAME, adversarial_loss, v, steps=1, batch_size=1, lr=1e-3, momentum=0.5, seed=0
        ), VECTORS,
    ),
    ("convert", "output"): (lambda v: convert(v, PLANE, TIMES / 2, "x0", "v"), PLANE),
    ("convert", "x_t"): (lambda v: convert(PLANE, v, TIMES / 2, "x0", "v"), PLANE),
    ("Diffusion.noisy", "x"): (lambda v: DIFFUSION.noisy(v, STEPS, PLANE), PLANE),
    ("Diffusion.noisy", "noise"): (lambda v: DIFFUSION.noisy(PLANE, STEPS, v), PLANE),
    ("Diffusion.bound", "x"): (lambda v: DIFFUSION.bound(v, DRAW).chain, PLANE),
    ("diffusion_loss", "x"): (lambda v: diffusion_loss(DIFFUSION, v, DRAW), PLANE),
    ("features", "x"): (lambda v: features(v, TIMES, WAVES), PLANE),
    ("features", "frequencies"): (lambda v: features(PLANE, TIMES, v), WAVES),
    ("ImageDenoiser", "x"): (lambda v: IMAGE_NET(v, TIMES), ROWS),
    ("VectorDenoiser", "x"): (lambda v: VECTOR_NET(v, TIMES), VECTORS),
}  # fmt: skip
OUTPUTS = {
    ("squared_error", "prediction"), ("bce_with_logits", "logits"), ("bernoulli", "logits"),
    ("gaussian", "mean"), ("Autoencoder", "x"), ("Autoencoder.encode", "x"),
    ("Autoencoder.decode", "z"), ("DigitClassifier", "x"), ("SparseAutoencoder", "x"),
    ("SparseAutoencoder.preactivations", "x"), ("SparseAutoencoder.encode", "x"),
    ("SparseAutoencoder.decode", "z"), ("l1", "codes"), ("kl_sparsity", "codes"),
    ("sigmoid_jacobian_norm", "h"), ("sigmoid_jacobian_norm", "weight"),
    ("two_layer_jacobian_norm", "slopes"), ("two_layer_jacobian_norm", "first"),
    ("two_layer_jacobian_norm", "second"),
    ("VariationalAutoencoder", "x"), ("VariationalAutoencoder.encode", "x"),
    ("VariationalAutoencoder.decode", "z"), ("normal_posterior", "outputs"),
    ("Bernoulli", "outputs"), ("Gaussian", "outputs"),
    ("GAN", "z"), ("VAEGAN", "x"), ("VAEGAN.decode", "z"), ("convert", "output"),
    ("convert", "x_t"), ("features", "x"), ("ImageDenoiser", "x"),
    ("VectorDenoiser", "x"),
    ("ConvolutionalVAE", "x"), ("ConvolutionalVAE.encode", "x"),
    ("ConvolutionalVAE.decode", "z"), ("FactorRegressor", "x"),
    ("minibatch_total_correlation", "z"),
    ("VectorQuantizer", "z"), ("VectorQuantizedAutoencoder", "x"), ("TwoLevelAutoencoder", "x"),
    ("VectorQuantizedAutoencoder.vectors", "x"),
}  # fmt: skip


def _halves(shape):
    return len(shape) == 4 and shape[1] == 1 and shape[2] % 4 == 0 and shape[3] % 4 == 0


# where a shape is free, the ones that are good
FREE = {
    ("binary_entropy", "target"): lambda shape: len(shape) >= 2,
    ("gaussian", "sigma"): lambda shape: all(side == 1 for side in shape),
    ("Labelled", "images"): lambda shape: len(shape) == 4,
    ("Rendered", "images"): lambda shape: len(shape) == 4,
    ("gaussian noise", "x"): lambda shape: True,
    ("masking", "x"): lambda shape: True,
    ("salt_and_pepper", "x"): lambda shape: True,
    ("mask_patches", "images"): lambda shape: (
        len(shape) == 4 and shape[2] % 4 == 0 and shape[3] % 4 == 0
    ),
    ("l1", "codes"): lambda shape: len(shape) == 2,
    ("kl_sparsity", "codes"): lambda shape: len(shape) == 2,
    ("l0", "codes"): lambda shape: len(shape) == 2,
    ("dead_units", "codes"): lambda shape: len(shape) == 2,
    ("energy_in_window", "images"): lambda shape: len(shape) == 4 and shape[1] == 1,
    ("top_purity", "codes"): lambda shape: len(shape) == 2 and shape[0] == 3,
    ("sigmoid_jacobian_norm", "weight"): lambda shape: len(shape) == 2 and shape[0] == 4,
    ("two_layer_jacobian_norm", "first"): lambda shape: len(shape) == 2 and shape[0] == 4,
    ("normal_posterior", "outputs"): lambda shape: len(shape) == 2 and shape[1] % 2 == 0,
    ("importance_bound", "log_weights"): lambda shape: len(shape) == 2,
    ("effective_sample_size", "log_weights"): lambda shape: len(shape) == 2,
    ("sharpness", "images"): lambda shape: len(shape) == 4 and min(shape[2:]) >= 2,
    ("near_nyquist_power", "images"): lambda shape: len(shape) == 4 and min(shape[2:]) >= 2,
    ("variety", "images"): lambda shape: len(shape) >= 2,
    ("VectorQuantizer", "z"): lambda shape: len(shape) == 4 and shape[1] == 4,
    ("VectorQuantizedAutoencoder", "x"): _halves,
    ("VectorQuantizedAutoencoder.vectors", "x"): _halves,
    ("VectorQuantizedAutoencoder.encode", "x"): _halves,
    ("TwoLevelAutoencoder", "x"): _halves,
    ("TwoLevelAutoencoder.encode", "x"): _halves,
    # another width is good by itself, and told from the side of the generated
    ("frechet_distance", "real"): lambda shape: len(shape) == 2,
    ("precision_recall", "real"): lambda shape: len(shape) == 2,
    ("density_coverage", "real"): lambda shape: len(shape) == 2,
    ("active_units", "means"): lambda shape: len(shape) == 2 and shape[0] >= 2,
    ("mutual_information", "latents"): lambda shape: len(shape) == 2 and shape[0] == 3,
    ("mutual_information_gap", "latents"): lambda shape: (
        len(shape) == 2 and shape[0] == 3 and shape[1] >= 2
    ),
    ("dci", "latents"): lambda shape: len(shape) == 2 and shape[0] == 3 and shape[1] >= 2,
    ("sap", "latents"): lambda shape: len(shape) == 2 and shape[0] == 3 and shape[1] >= 2,
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
