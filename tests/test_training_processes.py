"""Two processes, started by torchrun, do what one does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from aecore.objectives import squared_error
from tests.training_case import examples, train


class TwoMethods(nn.Module):
    """Trained by way of ``encode`` and ``decode``, as an autoencoder is, and never by a call."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(4, 6)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).tanh()

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def shared_run(file: Path) -> dict[str, Tensor]:
    """49 examples in batches of 16: the last has one, so one of two processes has none of it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TwoMethods()
    options = {"epochs": 4, "lr": 0.01, "seed": 1, "validation": examples(1), "checkpoint": file}
    history = train(
        model, lambda m, x: squared_error(m.decode(m.encode(x)), x), examples()[:49], **options
    )
    losses = {"train": torch.tensor(history.train), "validation": torch.tensor(history.validation)}
    return model.state_dict() | losses


WORKER = """
import os, sys
sys.path.insert(0, {root!r})
import torch
from pathlib import Path
from safetensors.torch import save_file
from tests.test_training_processes import shared_run

result = shared_run(Path({folder!r}) / "two")
save_file(result, {folder!r} + "/result" + os.environ["RANK"])
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_do_what_one_does(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=str(Path(__file__).parent.parent), folder=str(tmp_path)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, "--local-addr=127.0.0.1", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one = shared_run(tmp_path / "one")
    for rank in (0, 1):
        two = load_file(tmp_path / f"result{rank}")
        assert two.keys() == one.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)
