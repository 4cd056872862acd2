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


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind is not nn.Linear])
def test_every_layer_kind_comes_back(kind):
    module = nn.Sequential(nn.Linear(3, 8), kind(), nn.Sequential(nn.Linear(8, 4, bias=False)))
    x = torch.randn(10, 3)
    torch.testing.assert_close(unpack(pack(module))(x), module(x), atol=0.01, rtol=0.01)
    assert [type(layer) for layer in unpack(pack(module))] == [nn.Linear, kind, nn.Linear]


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
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3))), TypeError, r"module\[0\]\[0\].*Conv2d"),
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
