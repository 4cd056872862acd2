"""Claims: when they hold, what a failure names, what a page and the prose receive."""

import json
import math
from types import SimpleNamespace

import myst_nb
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell

from aecore.evidence import MIME, Claim, ClaimError, figures, glue, verify

FINITE = st.floats(-1e6, 1e6)


def claim(measured, statement="A statement", **bound) -> Claim:
    return Claim(statement, measured=measured, **(bound or {"at_least": 0}))


# ---- when a claim holds


@given(value=FINITE)
def test_bounds_are_inclusive(value):
    assert claim(value, at_least=value).holds
    assert claim(value, at_most=value).holds
    assert claim(value, at_least=value, at_most=value).holds
    assert claim(value, expected=value, within=0).holds


@given(value=FINITE)
def test_the_next_number_is_out_of_bounds(value):
    assert not claim(value, at_least=math.nextafter(value, math.inf)).holds
    assert not claim(value, at_most=math.nextafter(value, -math.inf)).holds
    assert not claim(value, expected=math.nextafter(value, math.inf), within=0).holds


@given(value=FINITE, low=FINITE, high=FINITE)
def test_two_bounds_hold_together(value, low, high):
    both = claim(value, at_least=low, at_most=high)
    assert both.holds == (low <= value <= high)
    assert " and " in both.bound


@given(expected=st.integers(-1000, 1000), within=st.integers(0, 10), off=st.integers(-20, 20))
def test_within_is_an_absolute_difference_to_both_sides(expected, within, off):
    assert claim(expected + off, expected=expected, within=within).holds == (abs(off) <= within)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "bound", [{"at_least": -1e300}, {"at_most": 1e300}, {"expected": 0, "within": 1e308}]
)
def test_nan_and_infinity_hold_for_nothing(value, bound):
    failing = claim(value, **bound)
    assert not failing.holds
    with pytest.raises(ClaimError):
        verify(failing)


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2.0), torch.tensor(2)],
)
def test_scalars_of_numpy_and_torch_are_numbers(value):
    for made in (claim(value, at_least=value), claim(2, expected=value, within=value)):
        assert made.holds
        assert type(made.measured) is float
        assert made.bound in ("≥ 2", "2 ± 2")


def test_an_identity_is_marked_exact():
    assert not claim(1).exact
    assert claim(1, at_least=0, exact=True).exact


# ---- verify


def test_verify_names_every_failing_claim_and_no_other():
    claims = [
        claim(0.5, "Holds first", at_least=0),
        claim(0.5, "Fails below", at_least=0.75),
        claim(0.5, "Holds second", at_most=1),
        claim(math.nan, "Fails as NaN", expected=0, within=1),
    ]
    with pytest.raises(ClaimError) as failed:
        verify(*claims)
    assert str(failed.value).splitlines() == [
        "2 of 4 claims do not hold:",
        "- Fails below: measured 0.5, bound ≥ 0.75",
        "- Fails as NaN: measured nan, bound 0 ± 1",
    ]
    assert isinstance(failed.value, AssertionError)


def test_verify_without_claims_is_no_evidence():
    with pytest.raises(ValueError, match=r"^verify must be given at least one claim"):
        verify()


def test_verify_takes_claims_only():
    with pytest.raises(TypeError, match=r"^claims\[1\] must be Claim, got bool"):
        verify(claim(1), 1 > 0)
    with pytest.raises(TypeError, match=r"^claims\[0\] must be Claim, got list"):
        verify([claim(1)])


# ---- what is displayed


def bundle(*claims: Claim) -> dict:
    return verify(*claims)._repr_mimebundle_()


def test_the_page_receives_every_field_of_every_claim():
    made = bundle(
        claim(2.5, "One", at_least=1, at_most=3),
        claim(1, "Two", expected=1, within=0.5, exact=True, source="first1900"),
    )
    first, second = json.loads(json.dumps(made[MIME]))["claims"]
    assert (first["statement"], first["measured"], first["bound"]) == ("One", 2.5, "≥ 1 and ≤ 3")
    assert (first["holds"], first["exact"], first["source"]) == (True, False, None)
    assert (second["measured"], second["bound"], second["holds"]) == (1.0, "1 ± 0.5", True)
    assert (second["exact"], second["source"]) == (True, "first1900")


def test_html_escapes_the_statement():
    made = bundle(claim(1, "p < q & <script>alert('x')</script>"))["text/html"]
    assert "<script>" not in made
    assert "p &lt; q &amp; &lt;script&gt;" in made


def test_text_is_the_same_in_every_run():
    """No address of an object: a notebook that is run again has the same outputs."""
    made = bundle(claim(0.25, "One", at_most=0.5), claim(3, "Two", at_least=1))
    assert made["text/plain"] == "[holds] One: 0.25 (≤ 0.5)\n[holds] Two: 3 (≥ 1)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (5000, "5,000"), (0.1, "0.1"), (1 / 3, "0.3333"), (1e-6, "1e-06"),
        (1e7, "1e+07"), (1234.5, "1234"), (-2, "-2"),
        (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert figures(value) == text


@given(value=st.floats())
def test_every_number_has_a_text(value):
    assert 0 < len(figures(value)) < 12


# ---- glue


@pytest.mark.parametrize("text", ["12.5", "it's", 'say "x"', "é − ∞", "", "a\nb" * 99])
def test_glue_publishes_what_myst_nb_publishes(monkeypatch, text):
    publisher = CapturingDisplayPublisher()
    shell = SimpleNamespace(display_pub=publisher, display_formatter=DisplayFormatter())
    monkeypatch.setattr(InteractiveShell, "initialized", lambda: True)
    monkeypatch.setattr(InteractiveShell, "instance", lambda: shell)
    glue("error", text)
    myst_nb.glue("error", text, display=False)
    ours, theirs = publisher.outputs
    assert ours == theirs


@pytest.mark.parametrize(("arguments", "name"), [((1, "x"), "name"), (("x", 1.5), "value")])
def test_glue_takes_text_only(arguments, name):
    with pytest.raises(TypeError, match=f"^{name} must be str, got"):
        glue(*arguments)


# ---- refused


@pytest.mark.parametrize("bad", ["1", True, [1.0], torch.ones(2), np.ones((1, 1))])
@pytest.mark.parametrize("name", ["measured", "at_least", "at_most", "expected", "within"])
def test_what_is_no_number_is_refused_by_name(name, bad):
    good = {"expected": 0, "within": 1} if name in ("expected", "within") else {"at_least": 0}
    with pytest.raises(TypeError, match=f"^{name} must be a number, got"):
        Claim("A statement", **{"measured": 1, **good, name: bad})


@pytest.mark.parametrize("name", ["at_least", "at_most", "expected", "within"])
def test_a_bound_is_finite(name):
    good = {"expected": 0, "within": 1} if name in ("expected", "within") else {}
    with pytest.raises(ValueError, match=f"^{name} must be finite"):
        Claim("A statement", measured=1, **{**good, name: math.inf})


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"expected": 1},
        {"within": 1},
        {"at_least": 1, "expected": 1, "within": 1},
        {"at_most": 1, "expected": 1, "within": 1},
    ],
)
def test_a_claim_has_one_kind_of_bound(bounds):
    with pytest.raises(ValueError, match=r"expected (with|and) within"):
        Claim("A statement", measured=1, **bounds)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"statement": 1}, TypeError, "statement must be str"),
        ({"statement": "  "}, ValueError, "statement must say something"),
        ({"at_least": None, "expected": 1, "within": -1}, ValueError, "within must be at least 0"),
        ({"exact": 1}, TypeError, "exact must be bool"),
        ({"source": 1900}, TypeError, "source must be str"),
    ],
)
def test_other_arguments_are_refused_by_name(wrong, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Claim(**{"statement": "A statement", "measured": 1, "at_least": 0} | wrong)
