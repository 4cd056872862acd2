"""A training run in one file, so that it can go on where it stopped.

One safetensors file holds everything: tensors (weights, moments of the optimiser, states of the
random streams) and, in its header, a small JSON text (position, history, settings). Two files
could disagree if the process died between them; one file that is written under another name and
then renamed is always the whole of one moment. Nothing in it is executed when it is read.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

KEY = "aecore.training.1"  # the number changes when the content does


def save(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write ``tensors`` and ``state`` (JSON values) to ``path``, replacing it in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    # clones: tied weights share memory, which the format refuses
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(own, partial, metadata={KEY: json.dumps(state)})
    partial.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save`` wrote.

    Raises ``ValueError`` if the file is damaged or is something else.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            state = json.loads(file.metadata()[KEY])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"checkpoint must be a file that fit wrote, got {str(path)!r}, which is damaged or is "
            f"something else ({error}). Delete it to train from the start, or name another file."
        ) from error
    return tensors, state


def refuse_other_settings(path: Path, saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Raise ``ValueError``, naming what differs, if the file belongs to another run."""
    before, now = _flat(saved), _flat(current)
    changed = [
        f"{name} was {before.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if changed:
        more = f" (and {len(changed) - 4} more)" if len(changed) > 4 else ""
        raise ValueError(
            f"checkpoint must be of a run with the same settings, got {str(path)!r}, where "
            f"{'; '.join(changed[:4])}{more}. Name another file, or delete this one."
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat
