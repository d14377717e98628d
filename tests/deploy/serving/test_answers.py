"""Predictions in words."""

import math
import re
from pathlib import Path

import pytest

from src.deploy.predict import Prediction
from src.deploy.serving.answers import About, Pictures, answered, head, refused
from src.deploy.serving.rules import Rules
from src.metrics.conformal import Rejection

ABOUT = About("svm_study0/run3", 0.25, 0.037, True, Rejection(0.25, 1.5, 0.05, 400))


def words(prediction: Prediction, about: About = ABOUT, name: str = "a.wav", pictures: Pictures | None = None) -> str:
    """Return the text of an answer, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answered(prediction, name, about, pictures)).split())


def test_a_spoof_is_told_with_its_probability_at_stated_priors() -> None:
    said = words(Prediction("", math.log(1 / 30), 0.03, "spoof", 99.4, ("too short (0.50 s)", "clipped (3.0% of it)")))
    assert "Spoof: probably made by a machine" in said
    assert "it sounds 30 times as much like a machine as like a person" in said
    assert "bona fide 3.2 % spoof 96.8 %" in said
    assert "The probability if half of such recordings were spoofs." in said
    assert "1 % 23 % 10 % 77 % 50 % 96.8 % 90 % 99.6 %" in said
    assert "-3.40" in said
    assert "uncertain between -1.25 and +1.75" in said
    assert "farther from the training data than 99 % of validation" in said
    assert "Too short (0.50 s). Clipped (3.0% of it)." in said
    assert "at most 5 % are wrong" in said
    assert "errs in 3.7 % of the cases" in said


def test_a_person_and_an_undecided_one() -> None:
    assert "more than 1,000 times as much like a person" in words(Prediction("", 9.0, 1.0, "bona fide", 10.0))
    assert "over 99.9 %" in words(Prediction("", 9.0, 1.0, "bona fide", 10.0))
    said = words(Prediction("", 0.0, 0.5, "uncertain", 10.0))
    assert "Uncertain: it may be either" in said
    assert "as much like a person as like a machine" in said


@pytest.mark.parametrize("far", [None, math.nan])
def test_an_unknown_distance_is_a_doubt(far: float | None) -> None:
    said = words(Prediction("", 0.0, 0.5, "uncertain", far))
    assert "is not known for this run" in said
    assert "farther" not in said


def test_what_a_run_cannot_promise_is_said() -> None:
    said = words(Prediction("", 1.0, 0.7, "bona fide"), About("run0", 0.25, 0.0, True, None, "No decision is sure."))
    assert "It decides in any case, however little it is sure. No decision is sure." in said
    assert "bona fide from +0.25" in said
    assert "the run makes no error; on speech from elsewhere it may err far more" in said


def test_scores_that_are_not_calibrated_have_no_probability() -> None:
    said = words(Prediction("", 1.0, None, "bona fide"), About("run0", 2.0, 0.1, False))
    assert "not calibrated" in said
    assert "lies below the threshold" in said
    assert "such recordings were" not in said


def test_names_and_reasons_are_escaped() -> None:
    name, reason = "<script>alert(1)</script>\ud800\x00.wav", "<b>no sound</b>"
    page = answered(Prediction("", 1.0, 0.7, "bona fide", None, (reason,)), name, ABOUT, Pictures(b"a", b"b", "<i>"))
    for html in (page, refused(name, reason), head("<run>", Rules())):
        assert not re.search(r"<script|<b>no|<i>|<run>", html)
        html.encode()
    assert "data:image/png;base64,YQ==" in page
    assert "data:image/png;base64,Yg==" in page


def test_the_head_says_what_becomes_of_a_recording(tmp_path: Path) -> None:
    assert "Nothing that you give it is kept, and it does not leave" in head("run0", Rules())
    assert "What you give it is kept, and it does not leave" in head("run0", Rules(keep=tmp_path))
    assert "Up to 10 minutes and 120 megabytes" in head("run0", Rules())
