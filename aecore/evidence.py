"""Claims: what a chapter states as a fact, beside the number that its own run measured.

    verify(
        Claim("Four codes beat one", measured=gap, at_least=0.1),
        Claim("The floor is the entropy", measured=loss, expected=entropy, within=1e-4, exact=True),
    )

shows a table and raises ``ClaimError`` if a claim does not hold. Folklore that fails is a claim
that it fails, with its number. ``glue`` hands a number to the prose.
"""

import html
import math
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

from aecore import checks

MIME = "application/vnd.aecore.evidence+json"


class ClaimError(AssertionError):
    """At least one claim does not hold; the message names each, with its number and its bound."""


@dataclass(frozen=True)
class Claim:
    """A statement, the number measured for it, and the bound that the number must keep.

    ``at_least`` and ``at_most`` may be given together; or ``expected`` with ``within``, the largest
    absolute difference allowed. ``exact`` marks an identity: its tolerance comes from floating
    point, not from training. ``source`` is the bibliography key of who said it first.
    NaN and infinity hold for nothing. ``statement`` may contain ``$…$``.
    """

    statement: str
    _: KW_ONLY
    measured: float
    at_least: float | None = None
    at_most: float | None = None
    expected: float | None = None
    within: float | None = None
    exact: bool = False
    source: str | None = None

    def __post_init__(self) -> None:
        checks.instance("statement", self.statement, str)
        if not self.statement.strip():
            raise ValueError("statement must say something, got an empty string")
        measured = _scalar(self.measured)
        if isinstance(measured, bool) or not isinstance(measured, int | float):
            raise TypeError(f"measured must be a number, got {type(self.measured).__name__}")
        object.__setattr__(self, "measured", float(measured))
        for name in ("at_least", "at_most", "expected", "within"):
            value = _scalar(getattr(self, name))
            if value is not None:
                object.__setattr__(self, name, checks.number(name, value))
        if (self.expected is None) != (self.within is None):
            raise ValueError("expected and within must be given together")
        one_sided = self.at_least is not None or self.at_most is not None
        if one_sided == (self.expected is not None):
            raise ValueError(
                "a claim must have one bound: at_least and/or at_most, or expected with within"
            )
        if self.within is not None and self.within < 0:
            raise ValueError(f"within must be at least 0, got {self.within}")
        checks.instance("exact", self.exact, bool)
        checks.instance("source", self.source, str, type(None))

    @property
    def holds(self) -> bool:
        """Whether the measured number is finite and keeps the bound."""
        if not math.isfinite(self.measured):
            return False
        if self.expected is not None and self.within is not None:
            return abs(self.measured - self.expected) <= self.within
        return (self.at_least is None or self.measured >= self.at_least) and (
            self.at_most is None or self.measured <= self.at_most
        )

    @property
    def bound(self) -> str:
        """The bound in words that fit into a table: ``≥ 0.9``, ``1 ± 1e-06``."""
        if self.expected is not None and self.within is not None:
            return f"{figures(self.expected)} ± {figures(self.within)}"
        parts = [f"≥ {figures(self.at_least)}"] if self.at_least is not None else []
        parts += [f"≤ {figures(self.at_most)}"] if self.at_most is not None else []
        return " and ".join(parts)


class Evidence:
    """Verified claims, as a table: HTML in a live notebook, data for the published page."""

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        self.claims = claims

    def __repr__(self) -> str:
        return "\n".join(
            f"[{'holds' if c.holds else 'FAILS'}] {c.statement}: {figures(c.measured)} ({c.bound})"
            for c in self.claims
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        head = "".join(f"<th>{h}</th>" for h in ("Claim", "Measured", "Bound", "Holds"))
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(c.statement)}</td>"
            f"<td>{figures(c.measured)}</td><td>{c.bound}</td>"
            f"<td>{'yes' if c.holds else '<strong>NO</strong>'}</td></tr>"
            for c in self.claims
        )
        claims = [
            {**asdict(claim), "bound": claim.bound, "holds": claim.holds} for claim in self.claims
        ]
        return {
            MIME: {"claims": claims},
            "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
            "text/plain": repr(self),
        }


def verify(*claims: Claim) -> Evidence:
    """Check the claims: return them as a table to show, or raise ``ClaimError``.

    All claims are looked at before anything is raised, so that one run names every failure.
    """
    if not claims:
        raise ValueError("verify must be given at least one claim, got none")
    for position, claim in enumerate(claims):
        checks.instance(f"claims[{position}]", claim, Claim)
    failing = [claim for claim in claims if not claim.holds]
    if failing:
        lines = (f"- {c.statement}: measured {c.measured:g}, bound {c.bound}" for c in failing)
        raise ClaimError(
            f"{len(failing)} of {len(claims)} claims do not hold:\n" + "\n".join(lines)
        )
    return Evidence(claims)


def glue(name: str, value: str) -> None:
    """Hand a text, such as ``f"{error:.1f}"``, to the prose, where ``{glue:text}`` quotes it.

    The output is MyST-NB's own record of a glued value; it is written here so that a chapter runs
    where only ``aecore`` is installed.
    """
    from IPython.display import display

    checks.instance("name", name, str)
    checks.instance("value", value, str)
    prefix = "application/papermill.record/"
    metadata = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    display({f"{prefix}text/plain": repr(value)}, raw=True, metadata=metadata)  # type: ignore[no-untyped-call]


def figures(value: float) -> str:
    """A number for a table: four significant figures, plain where that is short."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value}"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def _scalar(value: Any) -> Any:
    # what a tensor or a NumPy scalar holds; anything else, and any array, as it is
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
