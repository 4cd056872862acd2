"""Controls that need Python: retrain with another setting, where a kernel is."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
from IPython.display import display

from aecore.widgets.base import MIME, building


def live(function: Callable[..., object], **controls: Sequence[object]) -> None:
    """Let the reader choose the arguments of ``function`` and run it.

    Each control is the list of values of one parameter; it starts at the parameter's default, or
    else at the first value. With a kernel there is one control for each, and a button. While the
    book is built the function runs once, at these values, and a note in the published page says
    so, with links to where the chapter can be run.

        def retrain(code: int = 8) -> Figure: ...
        live(retrain, code=[1, 2, 4, 8, 16, 32])
    """
    start = _start(function, controls)
    if not building():
        choices = {name: _control(name, values, start[name]) for name, values in controls.items()}
        ipywidgets.interact_manual.options(manual_name="Run")(function, **choices)
        return
    result = function(**start)
    if result is not None:
        display(result)  # type: ignore[no-untyped-call]
    display(_Note(start))  # type: ignore[no-untyped-call]


class _Note:
    """Says which values the published result is for; ``aecore.sphinx`` adds the links."""

    def __init__(self, start: dict[str, object]) -> None:
        self.setting = {name: str(value) for name, value in start.items()}

    def __repr__(self) -> str:
        return "Shown for " + ", ".join(f"{k} = {v}" for k, v in self.setting.items())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {MIME: {"kind": "live", "setting": self.setting}, "text/plain": repr(self)}


def _control(name: str, values: Sequence[object], start: object) -> ipywidgets.Widget:
    # pairs of text and value: two values may then be equal in Python and still be two choices
    options = [(str(value), value) for value in values]
    numbers = all(isinstance(value, int | float) for value in values)
    kind = ipywidgets.SelectionSlider if numbers else ipywidgets.Dropdown
    return kind(options=options, value=start, description=name)


def _start(
    function: Callable[..., object], controls: dict[str, Sequence[object]]
) -> dict[str, object]:
    if not callable(function):
        raise TypeError(f"function must be callable, got {type(function).__name__}")
    if not controls:
        raise ValueError("controls must name at least one parameter of function, got none")
    parameters = inspect.signature(function).parameters
    start: dict[str, object] = {}
    for name, values in controls.items():
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise ValueError(f"controls must be parameters of function ({known}), got {name!r}")
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise TypeError(f"{name} must be a list of values, got {type(values).__name__}")
        if not values:
            raise ValueError(f"{name} must have at least one value, got none")
        default = parameters[name].default
        start[name] = values[0] if default is inspect.Parameter.empty else default
        if start[name] not in values:
            raise ValueError(f"{name} must contain its default {default!r}, got {list(values)}")
    for name, parameter in parameters.items():
        free = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if free and parameter.default is parameter.empty and name not in controls:
            raise ValueError(f"controls must include the parameter {name!r} of function")
    return start
