"""The quantiser by hand, and the autoencoders around it."""

import math

import pytest
import torch
from torch import Tensor, nn

from aecore.models.quantizer import VectorQuantizer, perplexity
from aecore.models.vector_quantized import TwoLevelAutoencoder, VectorQuantizedAutoencoder
from aecore.objectives import squared_error
from aecore.randomness import generator, initialise
from aecore.training import fit


def by_hand(**options) -> VectorQuantizer:
    """Three entries in the plane."""
    quantizer = VectorQuantizer(3, 2, **options).double()
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]))
    return quantizer


def grid(*vectors: tuple[float, float]) -> Tensor:
    """Vectors of one row of an image: (1, 2, 1, n)."""
    return torch.tensor(vectors, dtype=torch.float64).t().reshape(1, 2, 1, -1)


def random_grid(seed: int = 0, batch: int = 4) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return 4 * torch.rand(batch, 2, 3, 5, generator=rng, dtype=torch.float64)


def vqae(**options) -> VectorQuantizedAutoencoder:
    quantizer = VectorQuantizer(8, 4, **options)
    model = initialise(VectorQuantizedAutoencoder(1, quantizer, width=8), generator("vq"))
    return model.start_at(images(), generator("start"))


def two_level() -> TwoLevelAutoencoder:
    parts = VectorQuantizer(8, 4), VectorQuantizer(6, 3)
    model = initialise(TwoLevelAutoencoder(3, *parts, width=8), generator("vq"))
    return model.start_at(images(3, 32), generator("start"))


def images(channels: int = 1, side: int = 28) -> Tensor:
    return torch.rand(6, channels, side, side, generator=generator("images"))


# the quantiser ----------------------------------------------------------------------------------


def test_a_vector_becomes_the_nearest_entry():
    found = by_hand().eval()(grid((1, 0), (3, 0), (1, 3), (5, 5.5)))
    assert found.codes.tolist() == [[[0, 1, 2, 2]]]
    assert torch.equal(found.vectors, grid((0, 0), (4, 0), (0, 4), (0, 4)))
    expected = 1 + 1 + 2 + (25 + 2.25)
    assert found.codebook.tolist() == found.commitment.tolist() == [expected]


def test_nearest_is_the_nearest_by_distance():
    quantizer = VectorQuantizer(50, 7).double()
    rows = 0.05 * torch.randn(400, 7, generator=generator("rows"), dtype=torch.float64)
    assert torch.equal(quantizer.nearest(rows), torch.cdist(rows, quantizer.codebook).argmin(1))


def test_the_gradient_goes_straight_through():
    """To the vector comes what the entry would have got; to the entry nothing."""
    quantizer = by_hand(learned=True).eval()
    z = random_grid().requires_grad_()
    vectors = quantizer(z).vectors
    entries = vectors.detach().clone().requires_grad_()
    for values in (vectors, entries):
        (values.sin() * torch.arange(5)).sum().backward()
    assert torch.equal(z.grad, entries.grad)
    assert z.grad.abs().sum() > 0
    assert quantizer.codebook.grad is None


def test_each_of_the_two_terms_pulls_one_side():
    quantizer = by_hand(learned=True).eval()
    z = grid((1, 0), (3, 1)).requires_grad_()
    found = quantizer(z)
    from_z, from_codebook = torch.autograd.grad(
        found.commitment.sum(), [z, quantizer.codebook], allow_unused=True
    )
    assert torch.equal(from_z, 2 * grid((1, 0), (-1, 1)))
    assert from_codebook is None
    from_z, from_codebook = torch.autograd.grad(
        found.codebook.sum(), [z, quantizer.codebook], allow_unused=True
    )
    assert from_z is None
    assert torch.equal(from_codebook, 2 * torch.tensor([[-1, 0], [1, -1], [0, 0]]).double())


def test_an_entry_is_the_running_mean_of_its_vectors():
    """Vectors that stay near their entries; the weights are decay to the power of the age."""
    decay, batches = 0.8, [random_grid(seed) for seed in range(6)]
    quantizer = by_hand(decay=decay).train()
    sums, counts = torch.zeros(3, 2).double(), torch.zeros(3).double()
    for age, batch in zip(range(5, -1, -1), batches, strict=True):
        codes = quantizer(batch).codes
        rows = batch.movedim(1, -1)
        for k in range(3):
            sums[k] += decay**age * rows[codes == k].sum(0)
            counts[k] += decay**age * (codes == k).sum()
    assert (counts > 0).all()
    torch.testing.assert_close(quantizer.codebook, sums / counts[:, None])


def test_with_no_memory_a_step_is_one_of_k_means():
    quantizer, z = by_hand(decay=0).train(), random_grid()
    codes = quantizer(z).codes
    rows = z.movedim(1, -1)
    for k in range(3):
        torch.testing.assert_close(quantizer.codebook[k], rows[codes == k].mean(0))


def test_the_codebook_moves_in_training_only_and_unused_entries_stay():
    quantizer = by_hand().eval()
    before = quantizer.codebook.clone()
    quantizer(random_grid())
    assert torch.equal(quantizer.codebook, before)
    quantizer.train()(grid((1, 0)))
    assert quantizer.codebook.tolist() == [[1, 0], [4, 0], [0, 4]]
    with torch.no_grad():
        for _ in range(3):  # so long unused that its count is 0
            quantizer.counts.zero_()
            quantizer.sums.zero_()
            quantizer(grid((1, 0)))
    assert quantizer.codebook.tolist() == [[1, 0], [4, 0], [0, 4]]


def test_a_learned_codebook_is_moved_by_the_optimiser_alone():
    quantizer = by_hand(learned=True).train()
    before = quantizer.codebook.detach().clone()
    quantizer(random_grid())
    assert torch.equal(quantizer.codebook, before)
    assert [p.requires_grad for p in by_hand().parameters()] == [False]
    assert [p.requires_grad for p in quantizer.parameters()] == [True]


@pytest.mark.parametrize("learned", [False, True])
def test_a_restart_revives(learned):
    """Vectors far from two of three entries: these move among the vectors, and come into use."""
    quantizer, z = by_hand(learned=learned, decay=0.5).train(), 0.1 * random_grid() - 5
    for _ in range(5):
        assert set(quantizer(z).codes.unique().tolist()) == {0}
    quantizer(z, generator("restart"))
    rows = z.movedim(1, -1).reshape(-1, 2)
    for entry in quantizer.codebook[1:]:
        assert (rows == entry).all(1).any()
    assert {1, 2} <= set(quantizer(z).codes.unique().tolist())
    assert (quantizer.counts > 0).all()


def test_a_restarted_entry_weighs_as_much_as_an_average_one():
    quantizer = by_hand(decay=0.5).train()
    quantizer(0.1 * random_grid() - 5, generator("restart"))
    assert quantizer.counts.tolist() == [30, 10, 10]  # half of 60 vectors; their mean over three
    assert torch.equal(quantizer.sums[1:], 10 * quantizer.codebook[1:])


def test_a_restart_needs_training_a_generator_and_death():
    z = 0.1 * random_grid() - 5
    for quantizer, stream in ((by_hand(), generator("r")), (by_hand().train(), None)):
        if stream is not None:
            quantizer.eval()
        quantizer(z, stream)
        assert quantizer.codebook[1:].tolist() == [[4, 0], [0, 4]]
    alive, plain = by_hand().train(), by_hand().train()
    z = random_grid()
    alive(z, generator("r"))
    plain(z)
    assert torch.equal(alive.codebook, plain.codebook)


def test_restarts_are_drawn_from_the_generator():
    books = []
    for name in ("a", "a", "b"):
        quantizer = by_hand().train()
        quantizer(0.1 * random_grid() - 5, generator(name))
        books.append(quantizer.codebook)
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])


@pytest.mark.parametrize("learned", [False, True])
def test_the_codebook_is_drawn_from_the_generator_that_draws_the_weights(learned):
    def make():
        return VectorQuantizer(8, 3, learned=learned)

    drawn = initialise(make(), generator("a")).codebook
    assert torch.equal(drawn, initialise(make(), generator("a")).codebook)
    assert not torch.equal(drawn, initialise(make(), generator("b")).codebook)
    assert 0.1 < drawn.abs().max() <= 1 / 8
    assert drawn.requires_grad == learned


def test_to_draw_anew_is_to_forget():
    quantizer = VectorQuantizer(4, 2, decay=0.5).train()
    quantizer(torch.randn(2, 2, 3, 3, generator=generator("z")))
    assert quantizer.counts.sum() > 0
    initialise(quantizer, generator("a"))
    assert quantizer.counts.sum() == 0
    assert not quantizer.sums.any()


def test_to_start_at_vectors_is_to_have_them_as_entries():
    z = random_grid()
    quantizer = by_hand().start_at(z, generator("start"))
    rows = z.movedim(1, -1).reshape(-1, 2)
    assert all((rows == entry).all(1).any() for entry in quantizer.codebook)


def test_look_up_is_the_inverse():
    quantizer = by_hand().eval()
    found = quantizer(random_grid())
    assert torch.equal(quantizer.look_up(found.codes), found.vectors)
    assert torch.equal(quantizer(found.vectors).codes, found.codes)
    assert quantizer(found.vectors).commitment.tolist() == [0] * 4


def test_positions_do_not_see_each_other():
    quantizer, z = by_hand().eval(), random_grid()
    assert torch.equal(quantizer(z.flip(0, 3)).codes, quantizer(z).codes.flip(0, 2))


# perplexity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 64])
def test_the_perplexity_of_uniform_use_is_the_size(size):
    codes = torch.arange(size).repeat(7).reshape(7, size)
    assert perplexity(codes, size) == pytest.approx(size, rel=1e-12)
    assert perplexity(codes, 100) == pytest.approx(size, rel=1e-12)


def test_perplexity_by_hand():
    assert perplexity(torch.tensor([3, 3, 3]), 5) == 1
    # shares 1/2, 1/4, 1/4: an entropy of 1.5 bits
    assert perplexity(torch.tensor([0, 0, 1, 2]), 3) == pytest.approx(2**1.5, rel=1e-12)


def test_few_codes_have_a_low_perplexity():
    codes = torch.randint(64, (100_000,), generator=generator("codes"))
    assert perplexity(codes, 64) > 63
    assert perplexity(codes[:64], 64) < 50


# the autoencoders -------------------------------------------------------------------------------


def test_codes_of_digits_are_a_grid_and_decode_to_what_training_saw():
    model, x = vqae().eval(), images()
    seen = model(x)
    codes = model.encode(x)
    assert codes.shape == (6, 7, 7)
    assert torch.equal(seen.codes[0], codes)
    assert torch.equal(model.decode(codes), seen.outputs)
    assert seen.outputs.shape == x.shape
    assert seen.commitment.shape == seen.codebook.shape == (6,)


def test_two_grids_decode_to_what_training_saw():
    model, x = two_level().eval(), images(3, 32)
    seen = model(x)
    top, bottom = model.encode(x)
    assert (top.shape, bottom.shape) == ((6, 4, 4), (6, 8, 8))
    assert torch.equal(seen.codes[0], top)
    assert torch.equal(seen.codes[1], bottom)
    assert torch.equal(model.decode(top, bottom), seen.outputs)
    assert seen.outputs.shape == x.shape


def test_encoding_moves_no_codebook():
    model, x = two_level().train(), images(3, 32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.encode(x)
    assert model.training
    assert all(torch.equal(before[name], v) for name, v in model.state_dict().items())


def test_the_top_says_something_to_the_output_and_to_the_bottom():
    model, x = two_level().eval(), images(3, 32)
    top, bottom = model.encode(x)
    assert not torch.equal(model.decode((top + 1) % 8, bottom), model.decode(top, bottom))
    with torch.no_grad():
        model.mix.weight[:, 8:] += 3.0
    assert not torch.equal(model.encode(x)[1], bottom)


@pytest.mark.parametrize("make", [vqae, lambda: vqae(learned=True), two_level])
def test_training_lowers_the_loss(make):
    model = make()
    x = images() if isinstance(model, VectorQuantizedAutoencoder) else images(3, 32)
    learned = any(q.requires_grad for n, q in model.named_parameters() if "codebook" in n)

    def loss(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        found = model(x, generator)
        return squared_error(found.outputs, x) + learned * found.codebook + 0.25 * found.commitment

    history = fit(
        model, loss, x, epochs=15, batch_size=6, lr=1e-2, seed=0, device="cpu", progress=False
    )
    assert history.train[-1] < 0.85 * history.train[0]


def test_a_run_is_the_same_again():
    found = []
    for _ in range(2):
        model = vqae()
        fit(
            model, lambda m, x, generator: squared_error(m(x, generator).outputs, x), images(),
            epochs=2, batch_size=3, seed=0, device="cpu", progress=False,
        )  # fmt: skip
        found.append(model.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


# bad input --------------------------------------------------------------------------------------

CODES = torch.zeros(2, 7, 7, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: VectorQuantizer(1, 2), ValueError, "size must be at least 2, got 1"),
        (lambda: VectorQuantizer(2, 0), ValueError, "dimensions must be at least 1, got 0"),
        (lambda: VectorQuantizer(2, 2, decay=1), ValueError, "decay must be below 1, got 1"),
        (lambda: VectorQuantizer(2, 2, decay=-1), ValueError, "decay must be in"),
        (lambda: VectorQuantizer(2, 2, learned=1), TypeError, "learned must be bool, got int"),
        (lambda: by_hand()(torch.ones(1, 3, 2, 2)), ValueError, r"z must have shape \(B, 2, H"),
        (lambda: by_hand().start_at(random_grid(), 0), TypeError, "generator must be Generator"),
        (lambda: vqae().decode(CODES[0]), ValueError, r"codes must have shape \(B, H, W\), got"),
        (lambda: vqae().decode(CODES + 8), ValueError, "codes must be from 0 to 7, got 8 to 8"),
        (lambda: vqae().decode(CODES - 1), ValueError, "codes must be from 0 to 7, got -1 to -1"),
        (lambda: vqae().decode(CODES.float()), TypeError, "codes must be int64, got torch.float32"),
        (lambda: vqae().decode([[0]]), TypeError, "codes must be Tensor, got list"),
        (lambda: vqae().decode(CODES[:0]), ValueError, "codes must not be empty"),
        (lambda: vqae()(torch.ones(1, 1, 28, 30)), ValueError, "x must have .* that 4 divides"),
        (lambda: vqae().encode(torch.ones(1, 3, 28, 28)), ValueError, "x must have shape"),
        (lambda: two_level()(torch.ones(1, 3, 28, 28)), ValueError, "x must have .* 8 divides"),
        (
            lambda: two_level().decode(CODES[:, :4, :4], CODES[:, :, :6]),
            ValueError, r"bottom must have twice the side of top, \(2, 4, 4\), got \(2, 7, 6\)",
        ),
        (lambda: VectorQuantizedAutoencoder(1, 8), TypeError, "quantizer must be VectorQuantizer"),
        (lambda: VectorQuantizedAutoencoder(0, by_hand()), ValueError, "channels must be at"),
        (lambda: VectorQuantizedAutoencoder(1, by_hand(), halvings=0), ValueError, "halvings must"),
        (lambda: TwoLevelAutoencoder(1, by_hand(), None), TypeError, "bottom must be Vector"),
        (lambda: perplexity(CODES, 0), ValueError, "size must be at least 1"),
        (lambda: perplexity(CODES + 3, 3), ValueError, "codes must be from 0 to 2, got 3 to 3"),
        (lambda: perplexity(CODES.bool(), 3), TypeError, "codes must be int64, got torch.bool"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(call, error, told):
    with pytest.raises(error, match=f"^{told}"):
        call()


def test_a_spoilt_batch_spoils_no_codebook():
    quantizer = by_hand().train()
    assert quantizer(random_grid() / 0 * 0).commitment.isnan().all()
    assert quantizer.codebook.isfinite().all()
    assert quantizer.sums.isfinite().all()


def test_nan_is_passed_on_for_the_training_loop_to_name_the_step():
    x = images()
    x[0, 0, 0, 0] = math.nan
    assert not vqae()(x).outputs.isfinite().all() or not vqae()(x).commitment.isfinite().all()
