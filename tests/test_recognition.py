"""The judge of digits: what its thresholds let through, and what they stop."""

import math

import pytest
import torch

from aecore.data import Labelled
from aecore.metrics.recognition import REAL, Judge
from aecore.models import DigitClassifier
from aecore.randomness import generator, initialise


def labelled(seed: int, count: int) -> Labelled:
    rng = torch.Generator().manual_seed(seed)
    return Labelled(
        torch.rand(count, 1, 28, 28, generator=rng), torch.randint(10, (count,), generator=rng)
    )


REFERENCE, HELD_OUT = labelled(0, 60), labelled(1, 100)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Untrained: the two tests do not depend on what the classifier has learned."""
    classifier = initialise(DigitClassifier(), generator("judge"))
    return Judge(classifier, REFERENCE, HELD_OUT)


@torch.no_grad()
def look(judge: Judge, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The certainty of images and their distance to the reference, written out."""
    features = judge.classifier.features(images)
    reference = judge.classifier.features(REFERENCE.images)
    distances = (features.unsqueeze(1) - reference).norm(dim=2).min(1).values
    return judge.classifier(images).softmax(1).max(1).values, distances


def test_each_of_the_two_tests_passes_the_real_share(judge):
    certainty, distance = look(judge, HELD_OUT.images)
    assert (certainty >= judge.certainty).float().mean().item() == pytest.approx(REAL, abs=0.011)
    near = (distance <= judge.distance + 1e-5).float().mean().item()
    assert near == pytest.approx(REAL, abs=0.011)


def test_a_digit_passes_both_tests(judge):
    passed, _ = judge(HELD_OUT.images)
    certainty, distance = look(judge, HELD_OUT.images)
    both = (certainty >= judge.certainty) & (distance <= judge.distance + 1e-5)
    assert torch.equal(passed, both)
    assert 2 * REAL - 1 - 0.02 <= passed.float().mean() <= REAL + 0.01


def test_the_class_is_the_classifiers(judge):
    passed, classes = judge(HELD_OUT.images)
    assert passed.shape == classes.shape == (100,)
    assert passed.dtype == torch.bool
    with torch.no_grad():
        assert torch.equal(classes, judge.classifier(HELD_OUT.images).argmax(1))


def test_what_is_far_in_the_features_is_no_digit_however_certain(judge):
    far = HELD_OUT.images * 50
    certainty, distance = look(judge, far)
    assert (certainty > judge.certainty).any()
    assert distance.min() > judge.distance
    assert not judge(far)[0].any()


def test_what_is_uncertain_is_no_digit_however_near(judge, monkeypatch):
    monkeypatch.setattr(judge, "distance", math.inf)
    certainty, _ = look(judge, HELD_OUT.images)
    assert torch.equal(judge(HELD_OUT.images)[0], certainty >= judge.certainty)
    assert not judge(HELD_OUT.images)[0].all()


def test_an_image_is_judged_alone_and_without_chance(judge):
    """The classifier is in evaluation mode: its dropout does not vote."""
    together = judge(HELD_OUT.images)
    one_by_one = [judge(image.unsqueeze(0)) for image in HELD_OUT.images[:20]]
    assert [passed.item() for passed, _ in one_by_one] == together[0][:20].tolist()
    assert [digit.item() for _, digit in one_by_one] == together[1][:20].tolist()


@pytest.mark.parametrize("shape", [(2, 784), (2, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32)])
def test_other_images_are_refused(judge, shape):
    with pytest.raises(ValueError, match=r"^images must have shape \(N, 1, 28, 28\), got"):
        judge(torch.rand(shape))


@pytest.mark.parametrize("name", ["reference", "held_out"])
def test_a_judge_learns_from_images_of_digits_only(name):
    wide = Labelled(torch.rand(2, 1, 32, 32), torch.zeros(2).long())
    arguments = {"reference": REFERENCE, "held_out": HELD_OUT}
    with pytest.raises(ValueError, match=rf"^{name} must have shape \(N, 1, 28, 28\), got"):
        Judge(DigitClassifier(), **arguments | {name: wide})
    with pytest.raises(TypeError, match=f"^{name} must be Labelled, got Tensor"):
        Judge(DigitClassifier(), **arguments | {name: HELD_OUT.images})


def test_a_judge_needs_a_classifier():
    with pytest.raises(TypeError, match=r"^classifier must be DigitClassifier, got None"):
        Judge(None, REFERENCE, HELD_OUT)
