"""The adversarial models: losses in closed form, one gradient a player, shapes, refusals."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from aecore.bounds import kl_divergence, reparameterise
from aecore.models.adversarial import (
    GAN,
    VAEGAN,
    ImageDiscriminator,
    ImageGenerator,
    adversarial_loss,
    discriminator_loss,
    generator_loss,
    play,
    vae_gan_loss,
)
from aecore.objectives import bce_with_logits
from aecore.randomness import generator, initialise


def small() -> GAN:
    model = GAN(nn.Linear(2, 3), nn.Linear(3, 1), latent=2).double()
    return initialise(model, generator("small game"))


def hybrid() -> VAEGAN:
    model = VAEGAN(nn.Linear(3, 4), nn.Linear(2, 3), nn.Linear(3, 1), 2, 3).double()
    return initialise(model, generator("small hybrid"))


def draw() -> torch.Generator:
    return generator("draw")


X = torch.rand(6, 3, generator=generator("x"), dtype=torch.float64)


# ---- the losses


def test_losses_of_known_odds():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0])
    probability = torch.sigmoid
    by_hand = -probability(real).log() - (1 - probability(fake)).log()
    assert_close(discriminator_loss(real, fake), by_hand)
    assert discriminator_loss(real, fake)[0].item() == pytest.approx(2 * math.log(2))
    assert_close(generator_loss(fake), -probability(fake).log())


def test_the_best_discriminator_reaches_the_jensen_shannon_divergence():
    p, q = torch.tensor([0.1, 0.6, 0.3]).double(), torch.tensor([0.5, 0.25, 0.25]).double()
    odds = (p / q).log()
    loss = (p * F.softplus(-odds) + q * F.softplus(odds)).sum()
    middle = (p + q) / 2
    js = 0.5 * (p * (p / middle).log() + q * (q / middle).log()).sum()
    assert loss.item() == pytest.approx(2 * math.log(2) - 2 * js.item())
    assert_close(discriminator_loss(odds, odds), F.softplus(-odds) + F.softplus(odds))


def test_the_non_saturating_loss_has_a_gradient_where_the_judge_is_sure():
    odds = torch.tensor([-20.0], requires_grad=True)
    (slope,) = torch.autograd.grad(generator_loss(odds).sum(), odds)
    (saturating,) = torch.autograd.grad(-F.softplus(odds).sum(), odds)  # log(1 - D)
    assert slope.item() == pytest.approx(-1, abs=1e-6)
    assert abs(saturating.item()) < 1e-6


def test_each_player_gets_the_gradient_of_its_own_loss():
    model = small()
    adversarial_loss(model, X, draw()).mean().backward()
    together = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    fake = model(torch.randn(6, 2, generator=draw()).double())
    judge = model.discriminator
    apart = torch.autograd.grad(
        generator_loss(judge(fake)[:, 0]).mean(), list(model.generator.parameters()),
        retain_graph=True,
    ) + torch.autograd.grad(
        discriminator_loss(judge(X)[:, 0], judge(fake.detach())[:, 0]).mean(),
        list(judge.parameters()),
    )  # fmt: skip
    for one, other in zip(together, apart, strict=True):
        assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_jitter_reaches_the_judge_and_not_the_samples():
    model = small()
    seen = []
    model.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    adversarial_loss(model, X, draw(), jitter=0.5)
    made = model(torch.randn(6, 2, generator=draw()).double())
    assert not torch.equal(seen[0][:6], X)
    assert 0.2 < (seen[0][:6] - X).std() < 0.9
    assert 0.2 < (seen[1] - made).std() < 0.9


def test_without_an_opponent_the_hybrid_is_a_vae():
    model = hybrid()
    posterior = model.encode(X)
    logits = model.decode(reparameterise(posterior, draw()))
    expected = bce_with_logits(logits, X) + kl_divergence(posterior)
    assert torch.equal(vae_gan_loss(model, X, draw(), weight=0), expected)


def test_the_hybrids_weight_multiplies_the_generators_part_only():
    model = hybrid()
    plain, once, twice = (vae_gan_loss(model, X, draw(), weight=w) for w in (0.0, 1.0, 2.0))
    vae_gan_loss(model, X, draw(), weight=1.0).mean().backward()
    judge_1 = [p.grad.clone() for p in model.discriminator.parameters()]
    model.zero_grad()
    vae_gan_loss(model, X, draw(), weight=50.0).mean().backward()
    for one, p in zip(judge_1, model.discriminator.parameters(), strict=True):
        assert_close(p.grad, one)
    judged = once - plain - (twice - once)  # the discriminator's loss
    assert (judged > 0).all()
    assert (twice > once).all()


# ---- the game


def test_play_is_the_same_for_the_same_seed_and_leaves_the_global_stream():
    settings = {"steps": 5, "batch_size": 4, "lr": 1e-2, "momentum": 0.5, "seed": 7}
    models, losses = [small(), small()], []
    before = torch.get_rng_state()
    for model in models:
        losses.append(play(model, adversarial_loss, X, **settings))
    assert torch.equal(torch.get_rng_state(), before)
    assert losses[0] == losses[1]
    assert len(losses[0]) == 5
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(one, other)
    assert not models[0].training


def test_a_game_on_the_line_finds_the_mean():
    x = 3 + torch.randn(2000, 1, generator=draw())
    judge = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    model = initialise(GAN(nn.Linear(1, 1), judge, latent=1), generator("line"))
    play(
        model, adversarial_loss, x, steps=1500, batch_size=64, lr=1e-2, momentum=0.5, seed=1
    )  # fmt: skip
    assert model.generate(2000, draw()).mean().item() == pytest.approx(3, abs=0.7)


def test_a_loss_that_is_no_number_stops_the_game():
    with pytest.raises(RuntimeError, match="loss is nan at step 1"):
        play(
            small(), lambda model, x, g: adversarial_loss(model, x, g) * float("nan"), X,
            steps=3, batch_size=2, lr=1e-3, momentum=0.5, seed=0,
        )  # fmt: skip


# ---- the networks


def test_shapes_and_sizes():
    z = torch.randn(5, 16, generator=draw())
    logits = ImageGenerator(16, 8)(z)
    assert logits.shape == (5, 784)
    assert ImageDiscriminator(4)(logits.sigmoid()).shape == (5, 1)
    assert small().float().generate(7, draw()).shape == (7, 3)
    assert hybrid().float().generate(7, draw()).shape == (7, 3)


def test_the_hybrid_copies_at_the_mean():
    model = hybrid()
    assert torch.equal(model(X), model.decode(model.encoder(X)[:, :2]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GAN(nn.Identity(), 3, 2), TypeError, "discriminator must be Module"),
        (lambda: GAN(nn.Identity(), nn.Identity(), 0), ValueError, "latent must be at least 1"),
        (lambda: ImageGenerator(4, 3), ValueError, "channels must be even"),
        (lambda: ImageDiscriminator(4, 1.5), ValueError, r"dropout must be in \[0, 1\]"),
        (lambda: adversarial_loss(small(), X[:, :2], draw()), ValueError, "x must have the gen"),
        (lambda: adversarial_loss(small(), X, draw(), jitter=-1), ValueError, "jitter must be in"),
        (lambda: vae_gan_loss(hybrid(), X, draw(), weight=-1), ValueError, "weight must be in"),
        (lambda: vae_gan_loss(hybrid(), X + 1, draw(), weight=1), ValueError, "x must be at most"),
        (lambda: small().generate(0, draw()), ValueError, "number must be at least 1"),
    ],
)
def test_bad_settings_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
