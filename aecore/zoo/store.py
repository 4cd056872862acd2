"""The files of the cache: one trained model each, in safetensors, with its record in the header.

They lie in the directory ``AECORE_CACHE``, or in ``aecore`` in the user's cache. It may be deleted
at any time. Nothing in a file is executed when it is read.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

KEY = "aecore.zoo.1"  # the number changes when the content does


def directory() -> Path:
    """Where the files lie: ``AECORE_CACHE``, or else the user's cache, as XDG has it."""
    if chosen := os.environ.get("AECORE_CACHE"):
        return Path(chosen).expanduser()
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path("~/.cache").expanduser()) / "aecore"


def save(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write both to ``path`` in one move; a place where nothing can be written is left alone.

    Each process writes a file of its own and renames it: of two that build the same model the
    last one wins, and a reader sees the whole of one.
    """
    text = json.dumps(record)
    metadata = {KEY: text, "digest": _digest(tensors, text)}
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(".partial", path.stem, path.parent)
        os.close(handle)
        save_file(tensors, partial, metadata=metadata)
        Path(partial).replace(path)
    except (OSError, SafetensorError):  # a full disk, a read-only home: it will be trained again
        if partial is not None:
            Path(partial).unlink(missing_ok=True)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What ``save`` wrote, or ``None`` if there is no such file, or not every byte is right."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata()
            text = metadata[KEY]
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if metadata["digest"] != _digest(tensors, text):
            return None
        return tensors, json.loads(text)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
