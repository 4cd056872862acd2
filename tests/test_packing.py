"""The packer against torch: what comes back, how close it is, and what is refused."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore import data
from aecore.models.autoencoder import Autoencoder
from aecore.randomness import initialise
from aecore.widgets.packing import KINDS as LAYERS
from aecore.widgets.packing import pack, unpack

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained():
    """A decoder of digits and the codes it was trained on: real weights, pixels that saturate."""
    images = data.digits().train.vectors
    generator = torch.Generator().manual_seed(0)
    model = initialise(Autoencoder([784, 128, 2]), generator)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        batch = images[torch.randint(len(images), (128,), generator=generator)]
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return model.decoder, model.encode(images)


@pytest.mark.parametrize(
    ("dtype", "worst", "mean", "size"), [("float16", 0.002, 1e-4, 2.01), ("int8", 0.05, 0.002, 1.1)]
)
def test_packing_keeps_every_pixel(trained, dtype, worst, mean, size):
    module, codes = trained
    packed = pack(module, dtype)
    with torch.no_grad():
        pixels = module(codes).sigmoid()
    difference = (unpack(packed)(codes).sigmoid() - pixels).abs()
    assert 0 < difference.max() <= worst
    assert difference.mean() <= mean
    assert pixels.std() > 0.2  # the bound means something
    assert len(packed.data) <= size * sum(parameter.numel() for parameter in module.parameters())
    json.dumps(packed.layers)


ACTIVATIONS = [nn.ReLU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Tanh]


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_comes_back(kind):
    module = nn.Sequential(nn.Linear(3, 8), kind(), nn.Sequential(nn.Linear(8, 4, bias=False)))
    x = torch.randn(10, 3)
    torch.testing.assert_close(unpack(pack(module))(x), module(x), atol=0.01, rtol=0.01)
    assert [type(layer) for layer in unpack(pack(module))] == [nn.Linear, kind, nn.Linear]


def normed(channels, **options):
    """Batch normalisation with statistics of its own."""
    layer = nn.BatchNorm2d(channels, **options).eval()
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.5, 2)
    if layer.affine:
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    return layer


# from a vector to images and back; strange sizes on purpose
IMAGES = {
    "faces": lambda: [
        nn.Linear(5, 8 * 4 * 4),
        nn.Unflatten(1, (8, 4, 4)),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1),
    ],
    "kernel 3": lambda: [
        nn.Unflatten(1, (2, 3, 5)),
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
    ],
    "resize": lambda: [
        nn.Unflatten(1, (3, 2, 5)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(3, 5, 3, padding=1),
        nn.Upsample(scale_factor=(1, 3)),
    ],
    "shuffle": lambda: [
        nn.Unflatten(1, (3, 2, 5)),
        nn.Conv2d(3, 18, 3, padding=1),
        nn.PixelShuffle(3),
        nn.ReLU(),
    ],
    "normed": lambda: [
        nn.Linear(3, 40),
        nn.Unflatten(1, (4, 2, 5)),
        normed(4),
        nn.Conv2d(4, 2, 3, padding=1),
        normed(2, affine=False),
    ],
    "strange": lambda: [
        nn.Unflatten(1, (3, 5, 7)),
        nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(0, 1), bias=False),
        nn.Tanh(),
        nn.ConvTranspose2d(5, 7, (2, 5), (3, 2), padding=(1, 2), output_padding=(2, 0), bias=False),
    ],
    "back": lambda: [
        nn.Unflatten(1, (1, 6, 4)),
        nn.Conv2d(1, 2, 3),
        nn.Flatten(),
        nn.Linear(16, 3),
    ],
}


def images(name):
    torch.manual_seed(0)
    return nn.Sequential(*IMAGES[name]())


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("name", IMAGES)
def test_layers_of_images_come_back(name, dtype):
    module = images(name)
    packed = pack(module, dtype)
    x = torch.randn(4, packed.inputs)
    y, back = module(x), unpack(packed)(x)
    torch.testing.assert_close(back, y, atol=0.02 * float(y.detach().abs().max()), rtol=0)
    assert packed.image == (tuple(y.shape[1:]) if y.ndim == 4 else None)
    assert packed.outputs == y[0].numel()
    assert [type(layer) for layer in unpack(packed)] == [type(layer) for layer in module]
    json.dumps(packed.layers)


def test_every_kind_is_tried():
    tried = {type(layer) for name in IMAGES for layer in images(name)}
    assert tried | set(ACTIVATIONS) | {nn.Linear} == set(LAYERS)


def test_a_convolution_by_hand():
    """Weights that float16 holds exactly: the sum of each 2 by 2 patch, and each pixel in four."""
    summing = nn.Conv2d(1, 1, 2, bias=False)
    spreading = nn.ConvTranspose2d(1, 1, 2, stride=2)
    with torch.no_grad():
        summing.weight.fill_(1)
        spreading.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        spreading.bias.fill_(-1)
    x = torch.arange(6.0)[None]
    found = unpack(pack(nn.Sequential(nn.Unflatten(1, (1, 2, 3)), summing)))(x)
    assert found.tolist() == [[[[0 + 1 + 3 + 4, 1 + 2 + 4 + 5]]]]
    found = unpack(pack(nn.Sequential(nn.Unflatten(1, (1, 1, 2)), spreading)))(x[:, 1:3])
    assert found.tolist() == [[[[0, 1, 1, 3], [2, 3, 5, 7]]]]


@given(st.integers(0, 2**31), st.sampled_from(["float16", "int8"]), st.floats(0.01, 30))
def test_packed_weights_are_the_nearest(seed, dtype, scale):
    layer = nn.Linear(5, 3)
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, 0, scale, generator=generator)
    back = unpack(pack(layer, dtype))[0]
    largest = layer.weight.abs().amax(1, keepdim=True)
    step = largest / 127 / 2 if dtype == "int8" else layer.weight.abs() * 2**-11 + 2**-25
    assert ((back.weight - layer.weight).abs() <= 1.001 * step).all()


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (nn.Sequential(nn.Linear(2, 4), nn.Dropout()), TypeError, r"module\[1\].*Dropout"),
        (nn.Sequential(nn.Sequential(nn.Conv3d(1, 1, 3))), TypeError, r"module\[0\]\[0\].*Conv3d"),
        (Autoencoder([4, 2], tied=True).decoder, TypeError, r"module\[0\].*TiedLinear"),
        (nn.Sequential(nn.Linear(2, 4), nn.Softplus(beta=2)), ValueError, r"module\[1\].*beta"),
        (nn.Sequential(nn.Linear(2, 4), nn.Linear(5, 3)), ValueError, "5 values.*got 4"),
        (nn.Sequential(), ValueError, "got none"),
        (nn.ReLU(), ValueError, "got none"),
        ("decoder", TypeError, "module must be Module, got str"),
        (None, TypeError, "module must be Module, got None"),
    ],
)
def test_packer_refuses_by_name(module, error, words):
    with pytest.raises(error, match=words):
        pack(module)


IMAGE = nn.Unflatten(1, (2, 4, 4))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Conv2d(2, 1, 3)], r"module\[0\] must be given images.*got nothing that says a shape"),
        (
            [nn.Linear(3, 32), nn.Conv2d(2, 1, 3)],
            r"module\[1\] must be given images.*got 32 values",
        ),
        (
            [IMAGE, nn.Conv2d(3, 1, 3)],
            r"module\[1\] must be given .*\(3, 4, 4\), got .*\(2, 4, 4\)",
        ),
        ([nn.Linear(3, 30), IMAGE], r"module\[1\] must be given 32 values, got 30 values"),
        ([IMAGE, nn.Linear(4, 1)], r"module\[1\] must be given 4 values, got images"),
        ([nn.Unflatten(1, (4, 4)), nn.Linear(16, 2)], r"module\[0\] must make images"),
        ([nn.Unflatten(2, (2, 4, 4)), nn.Conv2d(2, 1, 3)], r"module\[0\] must make images"),
        ([IMAGE, nn.Conv2d(2, 1, 3, padding="same")], "padded by a number of zeros"),
        ([IMAGE, nn.Conv2d(2, 1, 3, padding=1, padding_mode="reflect")], "a number of zeros"),
        ([IMAGE, nn.Conv2d(2, 2, 3, groups=2)], "one group and no dilation"),
        ([IMAGE, nn.ConvTranspose2d(2, 2, 3, dilation=2)], "one group and no dilation"),
        (
            [IMAGE, nn.Upsample(scale_factor=2, mode="bilinear"), nn.Flatten()],
            "whole number of times",
        ),
        ([IMAGE, nn.Upsample(scale_factor=1.5), nn.Flatten()], "whole number of times"),
        ([IMAGE, nn.Upsample(size=(8, 8)), nn.Flatten()], "whole number of times"),
        (
            [IMAGE, nn.PixelShuffle(2), nn.Flatten()],
            r"module\[1\] must be given a multiple of 4 channels, got 2",
        ),
        ([IMAGE, nn.BatchNorm2d(2), nn.Flatten()], r"module\[1\] must be in evaluation mode"),
        (
            [IMAGE, nn.BatchNorm2d(2, track_running_stats=False).eval(), nn.Flatten()],
            r"module\[1\] must be in evaluation mode with statistics",
        ),
        ([IMAGE, normed(3), nn.Flatten()], r"module\[1\] must be given 3 channels, got 2"),
        ([IMAGE, nn.Flatten(2), nn.Linear(16, 2)], r"module\[1\] must leave only the batch"),
        ([IMAGE], "must have a layer with weights, got none"),
    ],
)
def test_packer_refuses_images_it_would_get_wrong(layers, words):
    with pytest.raises(ValueError, match=words):
        pack(nn.Sequential(*layers))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_packer_refuses_weights_it_cannot_hold(value):
    layer = nn.Linear(2, 2)
    layer.weight.data[0, 0] = value
    with pytest.raises(ValueError, match=r"module\.weight"):
        pack(layer)


@given(st.text())
def test_packer_refuses_other_types(dtype):
    if dtype not in ("float16", "int8"):
        with pytest.raises(ValueError, match="dtype must be one of"):
            pack(nn.Linear(2, 2), dtype)


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers())))
def test_unpack_refuses_what_was_not_packed(value):
    with pytest.raises(TypeError, match="packed must be Packed"):
        unpack(value)


class Chosen(nn.Sequential):
    """A subclass that only chooses layers."""

    def __init__(self):
        super().__init__(nn.Linear(2, 3), nn.ReLU())


class Doubled(Chosen):
    def forward(self, x):
        return 2 * super().forward(x)


def test_a_named_sequence_of_layers_is_packed_and_another_computation_is_not():
    module, x = Chosen(), torch.randn(4, 2)
    torch.testing.assert_close(unpack(pack(module))(x), module(x), atol=0.01, rtol=0.01)
    with pytest.raises(TypeError, match=r"module must be one of .* got Doubled"):
        pack(Doubled())
