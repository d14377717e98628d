"""The tandem detection cost function (t-DCF): a spoofing countermeasure judged by the speaker verification it guards.

Two systems work in series. The countermeasure (CM, our detector) passes or stops a trial, then automatic speaker
verification (ASV) accepts or rejects the speaker. Trials are of three kinds: target (the right speaker), nontarget (an
honest other speaker) and spoof. The ASV is fixed, its threshold set where its own EER of targets against
nontargets lies, so only the CM's threshold is free, and the min t-DCF is the lowest normalised cost it can reach.

Two forms are in use, whose values on the same scores differ by a factor of about two: always name the year.

* 2019 (v1): C1 P_miss + C2 P_fa, with
  C1 = P_target (C_miss_cm - C_miss_asv P_miss_asv) - P_nontarget C_fa_asv P_fa_asv and
  C2 = C_fa_cm P_spoof (1 - P_miss_spoof_asv), divided by min(C1, C2). A perfect CM reaches 0.
* 2021 (revised): C0 + C1 P_miss + C2 P_fa, with
  C0 = P_target C_miss P_miss_asv + P_nontarget C_fa P_fa_asv, C1 = P_target C_miss - C0 and
  C2 = P_spoof C_fa_spoof P_fa_spoof_asv, divided by C0 + min(C1, C2). C0 are the errors of the ASV itself, so a
  perfect CM reaches C0 / (C0 + min(C1, C2)), not 0.

Here P_miss and P_fa are the CM's error rates (`eer.detection_error_curve`). The value belongs to the ASV scores as
much as to the detector: compare only values that were made with the same ASV scores.

Source: Kinnunen et al., "t-DCF: a detection cost function for the tandem assessment of spoofing countermeasures and
automatic speaker verification", 2018; "Tandem assessment ... fundamentals", 2020.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, check_class_scores, check_positive
from src.metrics.eer import detection_error_curve, equal_error_point


@dataclass(frozen=True)
class AsvScores:
    """Scores of a speaker verification system, higher = more like the claimed speaker.

    Parameters
    ----------
    target, nontarget, spoof : array-like, shape (n_...,)
        Scores of the three kinds of trials; stored as float64.

    Raises
    ------
    ValueError
        When one of the three is empty or holds NaN or infinity.
    """

    target: FloatArray
    nontarget: FloatArray
    spoof: FloatArray

    def __post_init__(self) -> None:
        for name in ("target", "nontarget", "spoof"):
            object.__setattr__(self, name, check_class_scores(getattr(self, name), f"ASV {name}"))


@dataclass(frozen=True)
class TandemCosts2019:
    """Costs and priors of the 2019 form, as ASVspoof 2019 set them."""

    p_target: float = 0.95 * 0.99  # prior of the claimed speaker
    p_nontarget: float = 0.95 * 0.01  # prior of another honest speaker
    p_spoof: float = 0.05  # prior of a spoof
    c_miss_asv: float = 1.0  # the ASV rejects a target
    c_fa_asv: float = 10.0  # the ASV accepts a nontarget
    c_miss_cm: float = 1.0  # the CM rejects a bona fide trial
    c_fa_cm: float = 10.0  # the CM accepts a spoof

    def __post_init__(self) -> None:
        _check_priors(self.p_target, self.p_nontarget, self.p_spoof)
        check_positive(c_miss_asv=self.c_miss_asv, c_fa_asv=self.c_fa_asv)
        check_positive(c_miss_cm=self.c_miss_cm, c_fa_cm=self.c_fa_cm)


@dataclass(frozen=True)
class TandemCosts2021:
    """Costs and priors of the 2021 form, as ASVspoof 2021 set them."""

    p_target: float = 0.95 * 0.99  # prior of the claimed speaker
    p_nontarget: float = 0.95 * 0.01  # prior of another honest speaker
    p_spoof: float = 0.05  # prior of a spoof
    c_miss: float = 1.0  # the tandem rejects a target
    c_fa: float = 10.0  # the tandem accepts a nontarget
    c_fa_spoof: float = 10.0  # the tandem accepts a spoof

    def __post_init__(self) -> None:
        _check_priors(self.p_target, self.p_nontarget, self.p_spoof)
        check_positive(c_miss=self.c_miss, c_fa=self.c_fa, c_fa_spoof=self.c_fa_spoof)


class AsvErrorRates(NamedTuple):
    """Error rates of the ASV at its EER threshold, in [0, 1]."""

    eer: float
    threshold: float
    p_miss: float  # targets rejected
    p_fa: float  # nontargets accepted
    p_fa_spoof: float  # spoofs accepted


def asv_error_rates(asv: AsvScores) -> AsvErrorRates:
    """Set the ASV's threshold at the EER of targets against nontargets and count its errors there.

    >>> asv_error_rates(AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4]))
    AsvErrorRates(eer=0.0, threshold=2.0, p_miss=0.0, p_fa=0.3333333333333333, p_fa_spoof=0.5)
    """
    labels = np.concatenate([np.ones(len(asv.target)), np.zeros(len(asv.nontarget))])
    curve = detection_error_curve(labels, np.concatenate([asv.target, asv.nontarget]))
    eer, threshold = equal_error_point(*curve)
    return AsvErrorRates(
        eer,
        threshold,
        p_miss=float(np.mean(asv.target < threshold)),
        p_fa=float(np.mean(asv.nontarget >= threshold)),
        p_fa_spoof=float(np.mean(asv.spoof >= threshold)),
    )


def min_tdcf_2019(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, asv: AsvScores, costs: TandemCosts2019 | None = None
) -> float:
    """Compute the min t-DCF in the form of ASVspoof 2019 (v1), normalised.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels of the CM's trials: 1 bona fide, 0 spoof.
    y_scores : array-like, shape (n,)
        Scores of the CM, higher = more bona fide.
    asv : AsvScores
        Scores of the speaker verification system; its trials need not be those of the CM.
    costs : TandemCosts2019, optional
        Default: those of the challenge.

    Returns
    -------
    float
        In [0, 1]; 1 is no better than a CM that ignores the sound.

    Raises
    ------
    ValueError
        When the CM's input breaks the conventions, see `checks.check_scores`, or the ASV is so poor that no CM
        could help it (C1 or C2 is not positive).

    Examples
    --------
    >>> asv = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
    >>> min_tdcf_2019([1, 1, 0, 0], [4.0, 3.0, 2.0, 1.0], asv)
    0.0
    """
    costs = costs or TandemCosts2019()
    rates = asv_error_rates(asv)
    weight_miss = (
        costs.p_target * (costs.c_miss_cm - costs.c_miss_asv * rates.p_miss)
        - costs.p_nontarget * costs.c_fa_asv * rates.p_fa
    )
    weight_fa = costs.c_fa_cm * costs.p_spoof * rates.p_fa_spoof
    _check_weights(weight_miss, weight_fa, rates)
    frr, far, _ = detection_error_curve(y_true, y_scores)
    return float(np.min(weight_miss * frr + weight_fa * far) / min(weight_miss, weight_fa))


def min_tdcf_2021(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, asv: AsvScores, costs: TandemCosts2021 | None = None
) -> float:
    """Compute the min t-DCF in the form of ASVspoof 2021 (revised), normalised.

    Parameters
    ----------
    y_true, y_scores, asv
        As in `min_tdcf_2019`.
    costs : TandemCosts2021, optional
        Default: those of the challenge.

    Returns
    -------
    float
        In (0, 1], or 0 where CM and ASV are both perfect; 1 is no better than a CM that ignores the sound.

    Raises
    ------
    ValueError
        As `min_tdcf_2019`.

    Examples
    --------
    >>> asv = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
    >>> round(min_tdcf_2021([1, 1, 0, 0], [4.0, 3.0, 2.0, 1.0], asv), 4)  # C0 / (C0 + C2) = 0.0317 / 0.2817
    0.1124
    """
    costs = costs or TandemCosts2021()
    rates = asv_error_rates(asv)
    cost_of_asv = costs.p_target * costs.c_miss * rates.p_miss + costs.p_nontarget * costs.c_fa * rates.p_fa
    weight_miss = costs.p_target * costs.c_miss - cost_of_asv
    weight_fa = costs.p_spoof * costs.c_fa_spoof * rates.p_fa_spoof
    _check_weights(weight_miss, weight_fa, rates)
    frr, far, _ = detection_error_curve(y_true, y_scores)
    lowest = cost_of_asv + np.min(weight_miss * frr + weight_fa * far)
    return float(lowest / (cost_of_asv + min(weight_miss, weight_fa)))


def tandem_metrics(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, asv: AsvScores) -> dict[str, float]:
    """Compute the metrics of a report that need a speaker verification system, at the costs of the challenges.

    >>> asv = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
    >>> list(tandem_metrics([1, 1, 0, 0], [2.0, -1.0, 0.0, -2.0], asv))
    ['asv_eer', 'min_tdcf_2019', 'min_tdcf_2021']
    """
    return {
        "asv_eer": asv_error_rates(asv).eer,
        "min_tdcf_2019": min_tdcf_2019(y_true, y_scores, asv),
        "min_tdcf_2021": min_tdcf_2021(y_true, y_scores, asv),
    }


def _check_priors(p_target: float, p_nontarget: float, p_spoof: float) -> None:
    check_positive(p_target=p_target, p_nontarget=p_nontarget, p_spoof=p_spoof)
    total = p_target + p_nontarget + p_spoof
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        raise ValueError(f"The priors of target, nontarget and spoof must add up to 1, not to {total:.6g}.")


def _check_weights(weight_miss: float, weight_fa: float, rates: AsvErrorRates) -> None:
    """Refuse an ASV that leaves nothing to gain: the normalised cost would divide by zero or change its sign."""
    if weight_miss <= 0 or weight_fa <= 0:
        raise ValueError(
            f"The t-DCF is not defined for these ASV scores (C1 = {weight_miss:.4g}, C2 = {weight_fa:.4g}, ASV EER "
            f"{100 * rates.eer:.2f} %): targets must score high, nontargets low, and some spoofs must pass the ASV."
        )
