"""The cache of trained models: the same bits however a model comes, and nothing that is stale."""

import json
import os
import subprocess
import sys
import textwrap
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from aecore.data import digits
from aecore.models.adversarial import vae_gan_loss
from aecore.models.diffusion import diffusion_loss
from aecore.randomness import generator
from aecore.training import History
from aecore.zoo import digit_classifier, digit_diffusion, digit_vae, fingerprint, store, trained
from aecore.zoo import digits as shelf
from aecore.zoo import train as module
from tests.training_case import Small, denoising, same, small
from tests.training_case import train as fitted


@pytest.fixture(autouse=True)
def cache_directory(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def runs(monkeypatch) -> list[None]:
    """One entry for each time that something was trained."""
    entries: list[None] = []
    train = module._train

    def counted(*arguments):
        entries.append(None)
        return train(*arguments)

    monkeypatch.setattr(module, "_train", counted)
    return entries


def make(config):
    return small(config["dropout"])


def train(model, config):
    return fitted(model, denoising, steps=5)


CONFIG = {"dropout": 0.3}


def only_file(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


# the same model, however it comes ---------------------------------------------------------------


def test_a_model_from_the_cache_is_the_trained_one_bit_for_bit(runs):
    first = trained("small", make, train, config=CONFIG)
    again = trained("small", make, train, config=CONFIG)
    assert len(runs) == 1
    assert same(first.model, again.model)
    by_hand = small(0.3)
    with torch.random.fork_rng():
        history = train(by_hand, CONFIG)
    assert same(by_hand, first.model)
    assert first.history == again.history == history
    assert first.seconds == again.seconds > 0
    for found in (first, again):
        assert isinstance(found.history, History)
        assert not any(part.training for part in found.model.modules())
        assert found.model.again is found.model.decoder  # tied still


def test_a_deleted_cache_rebuilds(runs, cache_directory):
    first = trained("small", make, train, config=CONFIG).model
    only_file(cache_directory).unlink()
    cache_directory.rmdir()
    assert same(trained("small", make, train, config=CONFIG).model, first)
    assert len(runs) == 2
    only_file(cache_directory)


@pytest.mark.parametrize("history", [{"d": [0.1, 1e-300], "note": None}, [1, True], None, "x"])
def test_any_json_may_be_the_history(history):
    def train(model, config):
        return history

    for _ in range(2):
        assert trained("small", make, train, config=CONFIG).history == history


@pytest.mark.parametrize("bad", [(1, 2), {1: 2}, torch.ones(2), {"a": {3}}, np.float64(1)])
def test_what_would_come_back_as_another_is_refused(bad):
    with pytest.raises(TypeError, match=r"^what train returns must be of JSON values"):
        trained("small", make, lambda model, config: [bad], config=CONFIG)
    with pytest.raises(TypeError, match=r"^config must be of JSON values"):
        trained("small", make, train, config={"a": bad})


def test_the_functions_cannot_change_the_configuration():
    def make(config):
        return small(config.pop("dropout"))

    def train(model, config):
        config["dropout"] += 1

    config = dict(CONFIG)
    for _ in range(2):
        trained("small", make, train, config=config)
    assert config == CONFIG


# random streams ---------------------------------------------------------------------------------


def test_no_stream_of_the_caller_moves():
    def noisy(config):
        return Small(0.5)  # draws its weights from the global stream

    def train(model, config):
        model.train()
        model(torch.randn(8, 6))  # so does this, and dropout; BatchNorm keeps what came of it

    models = []
    for state in (1, 2):  # a miss, then a hit
        torch.manual_seed(state)
        before = torch.get_rng_state()
        models.append(trained("noisy", noisy, train, config={}).model)
        assert torch.equal(torch.get_rng_state(), before)
    assert same(*models)


def test_training_does_not_depend_on_where_the_callers_stream_stands(cache_directory):
    def noisy(config):
        return Small(0.5)

    models = []
    for state in (1, 2):
        torch.manual_seed(state)
        models.append(trained("noisy", noisy, lambda model, config: None, config={}).model)
        only_file(cache_directory).unlink()
    assert same(*models)


OUTSIDE = torch.Generator()


def uses_global(model, config):
    torch.randn(1, generator=OUTSIDE)


def inner(model, config):
    return [torch.randn(1, generator=OUTSIDE) for _ in range(2)]


def calls_another(model, config):
    return uses_global(model, config)


def by_default(model, config, stream=OUTSIDE):
    return None


def by_closure(stream):
    return lambda model, config: stream.seed()


@pytest.mark.parametrize(
    "train",
    [
        uses_global, inner, calls_another, by_default, by_closure(OUTSIDE),
        partial(by_default, stream=OUTSIDE), by_closure(np.random.default_rng(0)),
        by_closure([{"a": np.random.RandomState(0)}]),
    ],
)  # fmt: skip
def test_a_generator_from_outside_is_refused(train):
    with pytest.raises(ValueError, match=r"^train.* must not be a random generator from outside"):
        trained("small", make, train, config=CONFIG)


def test_the_message_says_the_way_to_the_generator():
    with pytest.raises(ValueError, match=r"^train → uses_global → OUTSIDE must not be"):
        trained("small", make, calls_another, config=CONFIG)


# what is another model --------------------------------------------------------------------------

CELL = """
import torch
from torch import nn
from aecore.objectives import squared_error

weight = 2.0
table = {"a": [1, 2]}
x = torch.zeros(3, 2)

def loss(model, batch):
    # a comment
    return weight * squared_error(model(batch), batch)

class Mine(nn.Module):
    width = 4

    def forward(self, x):
        return x * 1.5

def train(model, config, rate=0.1):
    Mine, table
    def step():
        return [loss(model, x) for _ in range(2)]
    return step
"""


def key(source: str = CELL, **names) -> str:
    """The fingerprint of a notebook's ``train``."""
    space = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), space)
    space.update(names)
    return fingerprint.fingerprint(train=space["train"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight = 2.0", "weight = 3.0"),  # a setting of a function that is called in a function
        ("[1, 2]", "[1, 3]"),
        ("weight * squared", "weight + squared"),
        ("zeros(3, 2)", "ones(3, 2)"),  # data
        ("zeros(3, 2)", "zeros(2, 3)"),
        ("zeros(3, 2)", "zeros(3, 2).double()"),
        ("rate=0.1", "rate=0.2"),
        ("range(2)", "range(3)"),
        ("x * 1.5", "x * 2.5"),  # in a method
        ("width = 4", "width = 5"),
        ("squared_error(", "abs("),
        ("nn.Module)", "nn.Linear)"),
    ],
)
def test_what_the_functions_use_is_part_of_the_key(old, new):
    assert old in CELL
    assert key(CELL.replace(old, new)) != key()


@pytest.mark.parametrize(
    ("old", "new"),
    [("a comment", "another"), ("weight = 2.0", "unused = weight = 2.0"), ("\n\n", "\n\n\n")],
)
def test_what_they_do_not_use_is_not(old, new):
    assert key(CELL.replace(old, new)) == key()


def test_values_of_equal_text_are_told_apart():
    keys = {key(weight=value) for value in (1, 1.0, True, "1", [1], (1,), {1: 1}, {1}, None)}
    assert len(keys) == 9


def test_one_element_of_a_large_array_counts():
    x, y = np.zeros(10_000), np.zeros(10_000)
    y[7000] = 1e-300
    assert key(table=x) == key(table=x.copy()) != key(table=y)
    half = torch.zeros(4, dtype=torch.bfloat16)
    assert key(table=half) != key(table=half + 1)
    assert key(table=torch.zeros(0)) != key(table=torch.zeros(0, 2))


def test_a_model_of_the_notebook_counts_with_its_weights():
    assert key(table=small()) == key(table=small()) != key(table=small(seed=1))
    assert key(table=small()) != key(table=small(0.3))


def test_data_of_the_book_count():
    assert key(table=digits()) == key(table=digits()) != key(table=digits().test)


def test_decorated_functions_are_looked_into():
    wrapped = {name: torch.no_grad()(lambda value=name: value) for name in "ab"}
    assert key(table=wrapped["a"]) != key(table=wrapped["b"])
    cached = {name: cache(lambda value=name: value) for name in "ab"}
    assert key(table=cached["a"]) != key(table=cached["b"])


def test_functions_that_call_each_other_end():
    loop = "def train(n):\n    return other(n)\ndef other(n):\n    return train(n - 1)"
    assert key(loop) == key(loop) != key(loop.replace("- 1", "- 2"))


def test_the_text_of_aecore_counts_directly_and_through_others(monkeypatch):
    before, source = key(), fingerprint._source

    def edited(at):
        def read(name):
            return source(name) + ("\n# edited" if name == at else "")

        fingerprint._text_behind.cache_clear()
        monkeypatch.setattr(fingerprint, "_source", read)
        return key()

    try:
        assert edited("aecore.objectives") != before
        assert edited("aecore.checks") != before  # which objectives imports
        assert edited("aecore.widgets.base") == before
        assert edited("aecore.models.sparse") == before
    finally:
        fingerprint._text_behind.cache_clear()


def test_seed_and_versions_count(monkeypatch):
    before = key()
    monkeypatch.setenv("AECORE_SEED", "1")
    assert key() != before
    monkeypatch.setenv("AECORE_SEED", "0")
    assert key() == before
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert key() != before


def test_the_configuration_and_the_seed_each_have_a_file(runs, cache_directory, monkeypatch):
    trained("small", make, train, config=CONFIG)
    trained("small", make, train, config={"dropout": 0.4})
    monkeypatch.setenv("AECORE_SEED", "1")
    trained("small", make, train, config=CONFIG)
    assert len(runs) == len(list(cache_directory.iterdir())) == 3


def test_the_key_is_that_of_another_process():
    code = "from tests.test_zoo import key, CELL\nprint(key(table=set('abcdefgh')))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent.parent, env=os.environ | {"PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert run.stdout.strip() == key(table=set("hgfedcba"))


class Slots:
    __slots__ = ("a",)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Path(__file__).open, "io.TextIOWrapper"),
        (nn.Linear(1, 1).parameters, "generator"),
        (Slots, "Slots"),
        (lambda: [[].append], "builtin_function"),
    ],
)
def test_what_cannot_be_known_is_refused(value, kind):
    value = value()
    with pytest.raises(ValueError, match=rf"^train → table.* must be code, settings .*{kind}"):
        key(table=value)
    getattr(value, "close", lambda: None)()


def test_a_set_of_objects_is_refused():
    with pytest.raises(ValueError, match=r"^train → table must hold numbers or text"):
        key(table={object()})


# the file ---------------------------------------------------------------------------------------


def flip(position: float):
    def damage(whole: bytes) -> bytes:
        at = int(position * (len(whole) - 1))
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]

    return damage


@pytest.mark.parametrize(
    "damage",
    [lambda whole: b"", lambda whole: whole[:-3], lambda whole: b"text " * 200,
     lambda whole: whole[:40], *map(flip, [0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1])],
)  # fmt: skip
def test_a_damaged_file_is_rebuilt(runs, cache_directory, damage):
    first = trained("small", make, train, config=CONFIG).model
    file = only_file(cache_directory)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert same(trained("small", make, train, config=CONFIG).model, first)
    assert len(runs) == 2
    assert same(trained("small", make, train, config=CONFIG).model, first)
    assert len(runs) == 2


@pytest.mark.parametrize("every", [41])
def test_no_flipped_bit_goes_unnoticed(tmp_path, every):
    file = tmp_path / "file"
    store.save(file, {"a": torch.arange(6.0), "b": torch.tensor(3)}, {"key": "k", "x": [1.5]})
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for at in [*range(0, header, every), *range(header, len(whole))]:
        file.write_bytes(flip(at / (len(whole) - 1))(whole))
        found = store.load(file)
        if found is not None:  # white space at the end of the header, say
            assert found[1] == {"key": "k", "x": [1.5]}
            assert torch.equal(found[0]["a"], torch.arange(6.0))
            assert torch.equal(found[0]["b"], torch.tensor(3))


def test_a_pickle_is_not_opened(runs, cache_directory):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("it was",)

    trained("small", make, train, config=CONFIG)
    torch.save(Trap(), only_file(cache_directory))
    trained("small", make, train, config=CONFIG)
    assert len(runs) == 2


def test_a_file_of_another_model_under_this_name_is_rebuilt(runs, cache_directory):
    first = trained("small", make, train, config=CONFIG).model
    file = only_file(cache_directory)
    trained("small", make, train, config={"dropout": 0.9})
    (other,) = set(cache_directory.iterdir()) - {file}
    other.replace(file)
    assert same(trained("small", make, train, config=CONFIG).model, first)
    assert len(runs) == 3


def test_the_file_is_plain_safetensors_with_its_record(cache_directory):
    found = trained("a small, one", make, train, config=CONFIG)
    file = only_file(cache_directory)
    assert file.name.startswith("a-small,-one-")
    with safe_open(file, framework="pt") as opened:
        record = json.loads(opened.metadata()[store.KEY])
        weight = opened.get_tensor("decoder.weight")
    assert torch.equal(weight, found.model.decoder.weight)
    assert record["config"] == CONFIG
    assert record["seconds"] == found.seconds
    assert record["history"]["steps"] == 5


def test_a_cache_that_cannot_be_written_is_no_error(runs, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "file" / "below"))
    for _ in range(2):
        found = trained("small", make, train, config=CONFIG)
    assert len(runs) == 2
    assert found.history.steps == 5


@pytest.mark.parametrize("error", [OSError("disk full"), SystemExit()])
def test_a_write_that_fails_leaves_what_was_there(cache_directory, monkeypatch, error):
    trained("small", make, train, config=CONFIG)
    before = only_file(cache_directory).read_bytes()

    def die(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(store, "save_file", die)
    tensors, record = store.load(only_file(cache_directory))
    if isinstance(error, SystemExit):
        with pytest.raises(SystemExit):
            store.save(only_file(cache_directory), tensors, record)
        for partial_file in cache_directory.glob("*.partial"):
            partial_file.unlink()
    else:
        store.save(only_file(cache_directory), tensors, record)
    assert only_file(cache_directory).read_bytes() == before


def test_two_that_build_the_same_at_once_do_not_meet(runs, cache_directory, monkeypatch):
    """While one trains, another kernel finishes."""
    train_once = module._train

    def overtaken(*arguments):
        monkeypatch.setattr(module, "_train", train_once)
        other = trained("small", make, train, config=CONFIG)
        found = train_once(*arguments)
        assert all(torch.equal(found[0][n], v) for n, v in other.model.state_dict().items())
        return found

    monkeypatch.setattr(module, "_train", overtaken)
    trained("small", make, train, config=CONFIG)
    assert len(runs) == 2
    trained("small", make, train, config=CONFIG)
    assert len(runs) == 2
    only_file(cache_directory)


def test_an_interrupted_run_is_handed_on_and_not_kept(runs, cache_directory):
    def stopped(model, config):
        return History([1.0], [], 3, interrupted=True)

    for _ in range(2):
        assert trained("small", make, stopped, config=CONFIG).history.interrupted
    assert len(runs) == 2
    assert not cache_directory.exists()


def test_where_the_files_lie(monkeypatch, tmp_path):
    assert store.directory() == tmp_path / "cache"
    monkeypatch.delenv("AECORE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert store.directory() == Path("/somewhere/aecore")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/reader")
    assert store.directory() == Path("/home/reader/.cache/aecore")
    monkeypatch.setenv("AECORE_CACHE", "~/models")
    assert store.directory() == Path("/home/reader/models")


# bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\nb", "x:y"])
def test_a_name_names_a_file(name):
    with pytest.raises(ValueError, match=r"^name must be of letters, digits, spaces"):
        trained(name, make, train, config=CONFIG)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": 3}, "name must be str, got int"),
        ({"make": None}, "make must be a function, got NoneType"),
        ({"train": "x"}, "train must be a function, got str"),
        ({"config": [1]}, "config must be dict, got list"),
        ({"make": lambda config: 3}, "what make returns must be Module, got int"),
    ],
)
def test_bad_input_is_refused_by_name(change, told):
    with pytest.raises(TypeError, match=f"^{told}"):
        trained(**{"name": "small", "make": make, "train": train, "config": CONFIG} | change)


# a notebook, and the digits ---------------------------------------------------------------------


def test_functions_and_classes_of_a_notebook_are_cached(runs):
    from IPython.core.interactiveshell import InteractiveShell

    cell = textwrap.dedent("""
        import torch
        from torch import nn
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(2, 2)
            def forward(self, x):
                return self.layer(x) * scale
        scale = 2.0
        def make(config):
            return Mine()
        def train(model, config):
            model(torch.ones(1, 2))
    """)
    for text in (cell, cell, cell.replace("2.0", "3.0")):
        shell = InteractiveShell()
        shell.run_cell(text).raise_error()
        trained("notebook", shell.user_ns["make"], shell.user_ns["train"], config={})
    assert len(runs) == 2


def test_the_classifier_of_digits_names_digits_and_is_the_same_again(runs):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first, again = digit_classifier(), digit_classifier()
    finally:
        torch.set_num_threads(threads)
    assert len(runs) == 1
    assert same(first, again)
    assert not first.training
    test = digits().test
    with torch.no_grad():
        named = first(test.images).argmax(1)
    assert (named == test.labels).float().mean() > 0.93


SHARED = [
    (digit_vae, partial(vae_gan_loss, weight=0), digits().test.vectors),
    (digit_diffusion, diffusion_loss, 2 * digits().test.vectors - 1),
]


@pytest.mark.parametrize(("shared", "loss", "x"), SHARED)
def test_models_that_chapters_share_learn_and_are_the_same_again(
    runs, monkeypatch, shared, loss, x
):
    def shortened(steps):
        def shorter(name, make, train, *, config):
            return trained(name, make, train, config=config | {"steps": steps})

        monkeypatch.setattr(shelf, "trained", shorter)
        return shared()

    def error(model):
        with torch.no_grad():
            return loss(model, x, generator("shared")).mean().item()

    hardly, first, again = shortened(1), shortened(80), shortened(80)
    assert len(runs) == 2
    assert same(first.model, again.model)
    assert first.history == again.history
    assert (hardly.history.steps, first.history.steps) == (1, 80)
    assert not first.model.training
    assert error(first.model) < 0.85 * error(hardly.model)
    if shared is digit_vae:  # chapter 09 gives it its opponent, still as it was made
        assert same(first.model.discriminator, hardly.model.discriminator)
    monkeypatch.setenv("AECORE_SEED", "1")
    assert not same(first.model, shortened(80).model)
    assert len(runs) == 3


def test_the_shared_models_in_full_are_those_of_the_chapters(monkeypatch):
    """What is trained, and how long: another number here is another model there."""
    asked = {}

    def note(name, make, train, *, config):
        asked[name] = config, make(config)

    monkeypatch.setattr(shelf, "trained", note)
    digit_vae(), digit_diffusion()
    config, vae = asked["vae digits"]
    assert config == {"steps": 1000, "batch_size": 64, "lr": 2e-3, "latent": 16}
    assert vae.encode(torch.zeros(2, 784)).mean.shape == (2, 16)
    config, diffusion = asked["diffusion digits"]
    assert config == {
        "steps": 4000, "batch_size": 16, "lr": 1e-3, "channels": 64, "blocks": 2,
    }  # fmt: skip
    assert (diffusion.steps, diffusion.prediction) == (1000, "v")
    assert diffusion(torch.zeros(2, 784), torch.tensor([1, 1000])).shape == (2, 784)
