"""README, citation and workflow: what they promise exists, and the address is the book's own."""

import re
from pathlib import Path

import pytest
import yaml

from aecore import __version__

ROOT = Path(__file__).parent.parent
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
URL = CONFIG["repository"]["url"]
REPOSITORY = URL.removeprefix("https://github.com/")
BRANCH = CONFIG["repository"]["branch"]
PAPERS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_readme_names_the_address_of_the_book():
    text = read("README.md")
    assert f"git clone {URL} " in text
    assert CONFIG["html"]["baseurl"] in text
    launched = re.findall(r"https://(?:mybinder\.org/v2/gh|colab\.\S+?/github)/([^\s)]+)", text)
    assert len(launched) == 2
    for target in launched:
        assert target.startswith(f"{REPOSITORY}/")
        assert BRANCH in target
        assert (ROOT / "chapters" / target.split("chapters/")[1]).exists()


@pytest.mark.parametrize("name", PAPERS)
def test_links_and_pictures_are_in_the_repository(name):
    targets = re.findall(r"\]\(([^)#]+)\)", read(name))
    for target in targets:
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), f"{name} points to {target}"
    # a badge or a picture from another host would be missing offline, and tell it who reads
    assert not re.search(r"!\[[^\]]*\]\(https?:", read(name))


@pytest.mark.parametrize("name", PAPERS)
def test_commands_exist(name):
    targets = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", read(name), re.MULTILINE))
    known = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert {a or b for a, b in targets} <= known


def test_the_layout_exists():
    [layout] = re.findall(r"## Layout\n\n```\n(.*?)```", read("README.md"), re.DOTALL)
    for line in layout.splitlines():
        names, _, _ = line.partition("  ")
        for path in names.split(", "):
            assert (ROOT / path).exists(), path


def test_the_citation_agrees_with_the_book():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["repository-code"] == URL
    assert citation["url"] == CONFIG["html"]["baseurl"]
    assert citation["version"] == __version__
    assert citation["title"].startswith(f"{CONFIG['title']}:")
    assert citation["authors"] == [{"name": CONFIG["author"]}]


def test_both_licences_are_whole():
    assert "Permission is hereby granted, free of charge" in read("LICENSE")
    text = read("LICENSE-text")
    assert "Creative Commons Attribution 4.0 International Public" in text
    for section in range(1, 9):
        assert re.search(rf"^Section {section} -- ", text, re.MULTILINE)
    for holder in (read("LICENSE"), text):
        assert CONFIG["copyright"] in holder


def test_the_workflow_runs_what_the_readme_promises():
    workflow = yaml.safe_load(read(".github/workflows/book.yml"))
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make book", "make test"]
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))
