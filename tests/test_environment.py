"""The lists of dependencies agree: pyproject.toml, the lock, and the two conda environments."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

# conda's names for what PyPI calls otherwise
PYPI_NAME = {"pytorch": "torch", "pytorch-cpu": "torch", "matplotlib-base": "matplotlib"}


def ranges(requirements: list[str]) -> dict[str, str]:
    """The accepted versions of each package, by its name on PyPI."""
    parsed = [Requirement(text) for text in requirements]
    return {
        canonicalize_name(PYPI_NAME.get(one.name, one.name)): str(one.specifier) for one in parsed
    }


def environment(path: str) -> tuple[list[str], list[str]]:
    """What conda installs and what pip installs."""
    entries = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    conda = [entry for entry in entries if isinstance(entry, str)]
    [pip] = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return conda, pip


def lock() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    for entry in entries:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", entry), (
            f"not name==version: {entry}"
        )
    pairs = [entry.split("==") for entry in entries]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs)
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("path", ["environment.yml", ".binder/environment.yml"])
def test_conda_environments_ask_for_what_the_package_needs(path):
    conda, pip = environment(path)
    tools = {"python", "pip", "make", "jupyterlab"}
    conda = [entry for entry in conda if re.split(r"[<>=]", entry)[0] not in tools]
    pip = [entry for entry in pip if not entry.startswith("-e")]
    assert ranges([*conda, *pip]) == ranges(PROJECT["dependencies"])


def test_conda_environment_for_people():
    conda, pip = environment("environment.yml")
    assert f"python{PROJECT['requires-python']}" in conda
    assert pip[-1] == f"-e .[{','.join(EXTRAS)}]"


def test_binder_installs_the_repository_last_and_by_itself():
    conda, pip = environment(".binder/environment.yml")
    [python] = [entry for entry in conda if entry.startswith("python=")]
    assert python.removeprefix("python=") in Requirement(f"x{PROJECT['requires-python']}").specifier
    # an editable install there would put the repository into the layer that Binder keeps
    assert not any(entry.startswith("-") for entry in pip)
    script = ROOT / ".binder" / "postBuild"
    assert "pip install --no-deps" in script.read_text()
    assert script.stat().st_mode & 0o111, "repo2docker runs postBuild as a program"


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_the_lock_pins_every_dependency_within_its_range(group):
    pinned = lock()
    for text in EXTRAS.get(group, PROJECT["dependencies"]):
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        assert name in pinned, f"requirements.lock lacks {wanted.name}"
        assert pinned[name] in wanted.specifier, f"{name}=={pinned[name]} is not {wanted}"


def test_the_lock_has_torch_and_torchvision_as_a_pair():
    # a torchvision that was built for another torch fails only when it is imported
    pinned = lock()
    if importlib.metadata.version("torchvision") != pinned["torchvision"]:
        pytest.skip("another torchvision than the lock's is installed")
    [torch] = [
        Requirement(text)
        for text in importlib.metadata.requires("torchvision") or []
        if Requirement(text).name == "torch"
    ]
    assert pinned["torch"] in torch.specifier
