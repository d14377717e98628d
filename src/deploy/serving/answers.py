"""A prediction in plain words, as HTML.

The score of a run is a log-likelihood ratio s: what is heard is e^s times as likely from a person as from a machine.
What a listener wants is the probability that a machine made it, and that depends on what was to be expected before:

    P(spoof) = 1 / (1 + e^(s + logit(1 - prior)))        prior = the share of spoofs among such recordings

So the page gives it at a prior that it states, and shows what other priors make of the same score. Templates escape all
values: what a browser calls a file is text, whatever it looks like.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, isnan
from pathlib import Path
from typing import Any, TypeGuard

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from src.deploy.predict import Prediction, probability_of
from src.deploy.serving.rules import Rules, in_words
from src.metrics.conformal import Rejection
from src.visualize.pages.words import readable

TEMPLATES = Path(__file__).parent / "templates"
PRIOR = 0.5
"""The share of spoofs among such recordings that the page assumes, and says so."""
OTHER_PRIORS = (0.01, 0.1, 0.5, 0.9)
_HEADLINES = {
    "bona fide": "Bona fide: probably a person",
    "spoof": "Spoof: probably made by a machine",
    "uncertain": "Uncertain: it may be either",
}
_LARGEST_RATIO = 1000
"""Times; beyond it the calibration extrapolates."""
_NO_PROOF = (
    "A run knows only what it was trained on: other ways of making speech, other microphones and codecs may deceive "
    "it. Take the answer as a reason to look further, never as proof."
)


@dataclass(frozen=True)
class About:
    """What the answers of a run have in common."""

    run: str
    threshold: float
    """It decides bona fide from this score on."""
    validation_eer: float
    is_calibrated: bool
    """Whether its scores are log-likelihood ratios."""
    rejection: Rejection | None = None
    """Its decisions with rejection; None = by the threshold alone."""
    no_promise: str = ""
    """Why there are none."""


@dataclass(frozen=True)
class Pictures:
    """The recording over time, as PNG: for wide screens, and for those of phones."""

    wide: bytes
    narrow: bytes
    caption: str


def head(run: str, rules: Rules) -> str:
    """Return the HTML above the page: what it does, what it takes, what becomes of it."""
    kept = "What you give it is kept" if rules.keep else "Nothing that you give it is kept"
    limits = f"Up to {in_words(rules.max_seconds)} and {rules.max_megabytes:g} megabytes, one recording at a time."
    return _render(
        "head.html", run=run, rules=f"{limits} {kept}, and it does not leave the machine that runs this page."
    )


def refused(name: str, reason: str) -> str:
    """Return the answer for an upload that cannot be judged."""
    return _render("answer.html", kind="refused", name=name, headline="This cannot be judged", refusal=reason)


def answered(prediction: Prediction, name: str, about: About, pictures: Pictures | None) -> str:
    """Return the answer for a recording.

    Parameters
    ----------
    prediction : Prediction
        Of a recording that could be judged.
    name : str
        What its owner calls it.
    about : About
    pictures : Pictures or None
        None for a recording that has no course over time.
    """
    assert prediction.score is not None
    score, is_llr = prediction.score, about.is_calibrated
    return _render(
        "answer.html",
        kind=prediction.decision.replace(" ", "-"),
        name=name,
        headline=_HEADLINES[prediction.decision],
        refusal="",
        meaning=_meaning(score) if is_llr else _against_threshold(score, about),
        chance=_chance(score) if is_llr else None,
        facts=_facts(score, prediction.far, about),
        doubts=_doubts(prediction, about),
        pictures=pictures and {"wide": _data_url(pictures.wide), "narrow": _data_url(pictures.narrow)},
        over_time=pictures and pictures.caption,
        score_meaning=_score_meaning(about),
        priors=[(share(prior), share(spoof_probability(score, prior))) for prior in OTHER_PRIORS] if is_llr else [],
    )


def spoof_probability(score: float, prior: float = PRIOR) -> float:
    """Return the probability of a spoof, where a share `prior` of such recordings are spoofs.

    >>> round(spoof_probability(0.0, 0.1), 3), round(spoof_probability(2.2, 0.9), 2)
    (0.1, 0.5)
    """
    return 1 - probability_of(score, 1 - prior)


def share(probability: float) -> str:
    """Write a probability in percent; never as certain, as no run is.

    >>> share(0.5), share(0.034), share(0.99999), share(1e-9)
    ('50 %', '3.4 %', 'over 99.9 %', 'under 0.1 %')
    """
    percent = 100 * probability
    if percent < 0.1 or percent > 99.9:
        return "under 0.1 %" if percent < 50 else "over 99.9 %"
    return f"{percent:.0f} %" if 10 <= percent <= 90 or percent in (1, 5) else f"{percent:.1f} %"


def _chance(score: float) -> dict[str, Any]:
    spoof = spoof_probability(score)
    of_all = "half" if PRIOR == 0.5 else share(PRIOR)
    return {"spoof": share(spoof), "bona_fide": share(1 - spoof), "share": f"{100 * (1 - spoof):.1f}", "prior": of_all}


def _meaning(score: float) -> str:
    """Say what a log-likelihood ratio means.

    >>> _meaning(2.3)
    'To this run it sounds 10 times as much like a person as like a machine.'
    """
    ratio = exp(min(abs(score), 50.0))
    if ratio < 1.05:
        return "To this run it sounds as much like a person as like a machine."
    times = (
        f"more than {_LARGEST_RATIO:,}" if ratio > _LARGEST_RATIO else f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
    )
    first, second = ("a person", "a machine") if score > 0 else ("a machine", "a person")
    return f"To this run it sounds {times} times as much like {first} as like {second}."


def _against_threshold(score: float, about: About) -> str:
    side = "above" if score >= about.threshold else "below"
    return f"Its score lies {side} the threshold of this run."


def _facts(score: float, far: float | None, about: About) -> list[tuple[str, str]]:
    facts = [("score, higher = more bona fide", f"{score:+.2f}"), ("bona fide from", f"{about.threshold:+.2f}")]
    if about.rejection and about.rejection.margin > 0:
        low, high = about.threshold - about.rejection.margin, about.threshold + about.rejection.margin
        facts[1] = ("uncertain between", f"{low:+.2f} and {high:+.2f}")
    if _is_known(far):
        facts.append(("farther from the training data than", f"{int(far)} % of validation"))
    return facts


def _is_known(far: float | None) -> TypeGuard[float]:
    return far is not None and not isnan(far)


def _doubts(prediction: Prediction, about: About) -> Sequence[str]:
    """Return what a listener must know before believing the answer."""
    own = [f"{reason[:1].upper()}{reason[1:]}." for reason in prediction.reasons]
    if not _is_known(prediction.far):
        own.append("How far this recording lies from the training data is not known for this run.")
    errors = f"errs in {share(about.validation_eer)} of the cases" if about.validation_eer else "makes no error"
    measured = (
        f"On the validation data of its own corpus the run {errors}; on speech from elsewhere it may err far more."
    )
    assert prediction.score is not None
    if about.is_calibrated and prediction.decision == ("spoof" if prediction.score > 0 else "bona fide"):
        own.append(
            "The probability points the other way: the decision follows the threshold of the run, at which it errs as "
            "often with people as with machines."
        )
    return [*own, measured, _promise(about), _NO_PROOF]


def _promise(about: About) -> str:
    if about.rejection is None:
        return f"It decides in any case, however little it is sure. {about.no_promise}"
    return (
        f"Of the decisions that it makes at most {share(about.rejection.error)} are wrong, on recordings like those of "
        "its validation; where it is less sure, it says uncertain."
    )


def _score_meaning(about: About) -> str:
    if not about.is_calibrated:
        return (
            "The scores of this run are not calibrated: they can be compared with each other, and mean no probability."
        )
    return (
        "The score is a natural log-likelihood ratio: 0 speaks for neither, +2.3 makes a person 10 times as likely, "
        "-2.3 a machine. It was calibrated on the validation data of the run, which is right for recordings like those."
    )


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _render(template: str, **content: Any) -> str:
    return str(_environment().get_template(template).render(content))


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: readable(value) if isinstance(value, str) else value,
    )
