"""The full data sets, for replications and benchmarks, from the folder ``AECORE_DATA``.

The folder has torchvision's own layout, ``MNIST/raw/…`` and ``FashionMNIST/raw/…``. The book
itself never needs it.
"""

import hashlib
import os
from pathlib import Path

import torch
from torchvision import datasets

from aecore import checks
from aecore.data.splits import Labelled, Splits

CLASSES = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}

# sha256 of the unpacked files, its first half: a damaged copy is refused, not trained on
SHA256 = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f8388776",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec29",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe0",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494",
    },
}


def full(name: str, *, download: bool = False) -> Splits:
    """All 70,000 images of ``"mnist"`` or ``"fashion-mnist"``, as they were published.

    50,000 training and 10,000 validation images (the first and the last of the original training
    set) and the original 10,000 test images, (N, 1, 28, 28) in [0, 1]. With ``download=True``
    missing files are fetched first; nothing else in ``aecore`` uses the network. Sources:
    [lecun1998gradient], [xiao2017fashion].

    Raises ``FileNotFoundError`` with the remedy when ``AECORE_DATA`` is not set or a file is
    missing, and ``ValueError`` when a file is not the published one.
    """
    checks.choice("name", name, CLASSES)
    checks.instance("download", download, bool)
    root = os.environ.get("AECORE_DATA")
    remedy = (
        f"set the environment variable AECORE_DATA to a folder in torchvision's layout, "
        f"or fetch the files into it with aecore.data.full({name!r}, download=True)"
    )
    if not root:
        raise FileNotFoundError(f"AECORE_DATA is not set: {remedy}")
    raw = Path(root) / CLASSES[name].__name__ / "raw"
    if not download:
        _refuse_missing_or_corrupt(name, raw, remedy)
    train = CLASSES[name](root, train=True, download=download)
    test = CLASSES[name](root, train=False, download=download)
    if download:
        _refuse_missing_or_corrupt(name, raw, remedy)

    train_images, test_images = (part.data.unsqueeze(1).float() / 255 for part in (train, test))
    train_labels, test_labels = (part.targets.to(torch.int64) for part in (train, test))
    return Splits(
        train=Labelled(train_images[:50_000], train_labels[:50_000]),
        validation=Labelled(train_images[50_000:], train_labels[50_000:]),
        test=Labelled(test_images, test_labels),
    )


def _refuse_missing_or_corrupt(name: str, raw: Path, remedy: str) -> None:
    for file, published in SHA256[name].items():
        path = raw / file
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: {remedy}")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()[:32]
        if found != published:
            raise ValueError(
                f"{path} is not the published file (sha256 {found[:12]}…, expected "
                f"{published[:12]}…): delete it, then {remedy}"
            )
