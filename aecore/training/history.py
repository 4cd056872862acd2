"""``History``: what a training run leaves behind besides the weights."""

from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aecore import checks


@dataclass(repr=False)
class History:
    """The record of one run of ``training.fit``; a notebook shows it as a plot.

    ``train`` and ``validation`` have one number an epoch: the mean loss of an example, in the unit
    of the loss. A training mean is taken while the weights move, a validation mean at the end of
    the epoch, so in the first epochs validation is often the lower one. ``validation`` is empty
    where none was asked for. ``steps`` counts the optimiser's steps, ``seconds`` the time spent
    in ``fit`` over all the calls that it took: the only field that two runs of one seed do not
    share, and that ``==`` leaves out. ``interrupted`` is true if the run has not reached its end.
    """

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = field(default=0.0, compare=False)
    interrupted: bool = False

    def plot(self, label: str = "loss per example") -> Figure:
        """Both curves against the epoch, in the book's style; ``label`` names the vertical axis.

        Raises ``ValueError`` if no epoch was finished.
        """
        from aecore import plots  # its import makes the book's style the default

        checks.instance("label", label, str)
        if not self.train:
            raise ValueError("history must have at least one finished epoch to be plotted, got 0")
        figure, axes = plt.subplots()
        for name, losses, colour in [
            ("train", self.train, plots.PETROL),
            ("validation", self.validation, plots.AMBER),
        ]:
            if losses:
                epochs = range(1, len(losses) + 1)
                # a line of one point is invisible, so that point gets a marker
                marker = "o" if len(losses) == 1 else ""
                axes.plot(epochs, losses, color=colour, marker=marker, label=name)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        plots.label_lines(axes)
        return figure

    def __repr__(self) -> str:
        # no seconds: the same run prints the same text
        parts = [f"epochs={len(self.train)}", f"steps={self.steps}"]
        for name, losses in [("train", self.train), ("validation", self.validation)]:
            if losses:
                parts.append(f"{name}={losses[-1]:.6g}")
        if self.interrupted:
            parts.append("interrupted=True")
        return f"History({', '.join(parts)})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        if not self.train:
            return {"text/plain": repr(self)}
        from aecore import plots

        count = f"{len(self.train)} epoch{'s' * (len(self.train) > 1)}"
        alt = f"Loss per example over {count}. " + " ".join(
            f"{name}: from {losses[0]:.4g} to {losses[-1]:.4g}."
            for name, losses in [("Training", self.train), ("Validation", self.validation)]
            if losses
        )
        bundle = plots.show(self.plot(), alt=alt)._repr_mimebundle_()
        return {**bundle, "text/plain": repr(self)}
