"""The data sets: sizes, balance, parts that never mix; and what is said where files are missing."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
import torch

from aecore import data
from aecore.data import Labelled, Splits, digits, full

PARTS = ("train", "validation", "test")
RAW = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}


def images(count: int = 2) -> torch.Tensor:
    return torch.zeros(count, 1, 28, 28)


# ---- digits


@pytest.mark.parametrize(("part", "each"), [("train", 350), ("validation", 50), ("test", 100)])
def test_a_part_has_the_ten_classes_in_equal_parts(part, each):
    labelled = getattr(digits(), part)
    assert labelled.images.shape == (10 * each, 1, 28, 28)
    assert labelled.images.dtype == torch.float32
    assert labelled.labels.dtype == torch.int64
    assert labelled.labels.bincount().tolist() == [each] * 10
    assert labelled.images.min() == 0
    assert labelled.images.max() == 1


def test_no_image_is_in_two_places():
    every = torch.cat([getattr(digits(), part).vectors for part in PARTS])
    assert len(every.unique(dim=0)) == len(every) == 5000


def test_classes_are_shuffled_together():
    labels = digits().train.labels
    assert (labels[1:] == labels[:-1]).float().mean() < 0.15


def test_labels_belong_to_their_images():
    """The nearest class mean, of the training digits, names four test digits in five."""
    train, test = digits().train, digits().test
    means = torch.stack([train.vectors[train.labels == label].mean(0) for label in range(10)])
    nearest = torch.cdist(test.vectors, means).argmin(1)
    assert (nearest == test.labels).float().mean() > 0.75


def test_ink_is_bright_on_dark():
    assert digits().train.images[..., 0].mean() < 0.01
    assert digits().train.images[..., 10:18, 10:18].mean() > 0.3


def test_the_split_moves_with_no_seed(monkeypatch):
    first = digits()
    monkeypatch.setenv("AECORE_SEED", "5")
    torch.manual_seed(5)
    digits.cache_clear()
    again = digits()
    assert again is not first
    for part in PARTS:
        assert torch.equal(getattr(again, part).images, getattr(first, part).images)
        assert torch.equal(getattr(again, part).labels, getattr(first, part).labels)


def test_a_test_number_of_one_reader_is_of_the_images_of_another():
    assert digits().test.labels[:12].tolist() == [4, 1, 4, 9, 5, 0, 2, 4, 6, 0, 2, 1]
    pixels = (digits().test.images * 255).round().byte().numpy()
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "06eeb7cd6aba6c1f"


def test_the_file_is_read_once():
    assert digits() is digits()


# ---- what a data set is


def test_vectors_are_the_pixels_in_rows():
    labelled = Labelled(torch.arange(16.0).reshape(2, 2, 2, 2) / 15, torch.tensor([3, 4]))
    assert labelled.vectors.shape == (2, 8)
    assert torch.equal(labelled.vectors[1], labelled.images[1].flatten())
    assert len(labelled) == 2
    assert repr(labelled) == "Labelled(2 images of shape (2, 2, 2))"


@pytest.mark.parametrize(
    "labels",
    [torch.zeros(3).long(), torch.zeros(2, 1).long(), torch.zeros(2), torch.zeros(2).int()],
)
def test_labels_are_one_whole_number_an_image(labels):
    with pytest.raises(ValueError, match=r"^labels must be int64 of shape \(2,\), got"):
        Labelled(images(), labels)


def test_labels_are_a_tensor():
    with pytest.raises(TypeError, match=r"^labels must be Tensor, got list"):
        Labelled(images(), [0, 1])


def test_images_are_float32():
    with pytest.raises(TypeError, match=r"^images must be float32, got torch.float64"):
        Labelled(images().double(), torch.zeros(2).long())


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_are_labelled_images(part):
    good = Labelled(images(), torch.zeros(2).long())
    with pytest.raises(TypeError, match=f"^{part} must be Labelled, got Tensor"):
        Splits(**{**dict.fromkeys(PARTS, good), part: images()})


# ---- full


def write_idx(path: Path, magic: int, array: torch.Tensor) -> None:
    """The format of the original files: a magic number, the sizes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">{1 + array.ndim}i", magic, *array.shape)
    path.write_bytes(head + array.numpy().tobytes())


def write_raw(raw: Path, train: int, test: int) -> dict[str, str]:
    """A small data set in torchvision's layout, and the sums of its files."""
    generator = torch.Generator().manual_seed(0)
    for prefix, count in (("train", train), ("t10k", test)):
        pixels = torch.randint(0, 256, (count, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 10, (count,), generator=generator, dtype=torch.uint8)
        write_idx(raw / f"{prefix}-images-idx3-ubyte", 2051, pixels)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", 2049, labels)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in raw.iterdir()}


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_folder_the_remedy_is_said(monkeypatch, value):
    monkeypatch.delenv("AECORE_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("AECORE_DATA", value)
    with pytest.raises(FileNotFoundError, match=r"^AECORE_DATA is not set: .*download=True"):
        full("mnist")


@pytest.mark.parametrize("name", RAW)
def test_a_missing_file_is_named_with_the_remedy(monkeypatch, tmp_path, name):
    monkeypatch.setenv("AECORE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError) as refused:
        full(name)
    message = str(refused.value)
    assert str(tmp_path / RAW[name] / "raw" / "train-images-idx3-ubyte") in message
    assert f"aecore.data.full({name!r}, download=True)" in message


@pytest.mark.parametrize("name", RAW)
def test_a_corrupt_file_is_refused_and_named(monkeypatch, tmp_path, name):
    monkeypatch.setenv("AECORE_DATA", str(tmp_path))
    write_raw(tmp_path / RAW[name] / "raw", 3, 2)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte is not the published file"):
        full(name)


def test_one_flipped_bit_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("AECORE_DATA", str(tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    monkeypatch.setitem(data.full.__globals__["SHA256"], "mnist", write_raw(raw, 3, 2))
    path = raw / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte is not the published file"):
        full("mnist")


def test_the_original_training_set_is_split_in_order(monkeypatch, tmp_path):
    """50,000 + 10,000 + test, in [0, 1]; the pixels are those of the file."""
    monkeypatch.setenv("AECORE_DATA", str(tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    monkeypatch.setitem(data.full.__globals__["SHA256"], "mnist", write_raw(raw, 50_003, 2))
    splits = full("mnist")
    assert [len(getattr(splits, part)) for part in PARTS] == [50_000, 3, 2]
    content = (raw / "train-images-idx3-ubyte").read_bytes()[16:]
    last = torch.frombuffer(bytearray(content[-784:]), dtype=torch.uint8)
    assert torch.equal(splits.validation.vectors[-1], last.float() / 255)
    labels = (raw / "train-labels-idx1-ubyte").read_bytes()[8:]
    assert splits.validation.labels.tolist() == list(labels[50_000:])


@pytest.mark.parametrize("name", ["MNIST", "cifar10", ""])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"^name must be one of fashion-mnist, mnist, got"):
        full(name)


def test_arguments_of_the_wrong_type_are_refused_by_name():
    with pytest.raises(TypeError, match=r"^name must be a string, got None"):
        full(None)
    with pytest.raises(TypeError, match=r"^download must be bool, got int"):
        full("mnist", download=1)


@pytest.mark.parametrize("name", RAW)
def test_the_published_files_are_read_as_published(name):
    root = os.environ.get("AECORE_DATA")
    if not root or not (Path(root) / RAW[name]).is_dir():
        pytest.skip(f"AECORE_DATA has no {RAW[name]}: the published files were not looked at")
    splits = full(name)
    assert [len(getattr(splits, part)) for part in PARTS] == [50_000, 10_000, 10_000]
    assert splits.test.labels.bincount(minlength=10).sum() == 10_000
