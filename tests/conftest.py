"""For every test: Hypothesis without a deadline, and what the tests of widgets share."""

import os

import ipywidgets
import pytest
from hypothesis import settings

# shared machines are slow at times; CI has the same examples in every run
settings.register_profile("aecore", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("aecore")


@pytest.fixture
def build(monkeypatch):
    monkeypatch.setenv("AECORE_BUILD", "1")


@pytest.fixture
def comms(monkeypatch):
    """Every comm that is opened."""
    opened = []
    create = ipywidgets.widgets.widget.comm.create_comm

    def record(**arguments):
        opened.append(arguments)
        return create(**arguments)

    monkeypatch.setattr(ipywidgets.widgets.widget.comm, "create_comm", record)
    return opened
