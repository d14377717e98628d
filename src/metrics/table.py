"""The metrics that a detector is judged by: what each is called, how it is written, and where it is shown.

The terminal, the pages and the comparison of runs read this table, and none of them defines metrics itself. To add
a metric that needs only labels and scores, write its function in a file of this room and give it a row here: it is then
computed by `report.evaluate` and shown wherever its row says. Metrics of decisions at a threshold are made by
`classification.decision_metrics`, those that need a speaker verification system by `tandem.tandem_metrics`; a key that
is added there needs a row as well. `resampled.resample_metrics` computes the intervals; a metric that it lacks is
shown without one.

The order of the rows is the order in which metrics are shown everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from src.metrics.calibration import compute_cllr
from src.metrics.checks import FloatArray, IntArray
from src.metrics.dcf import compute_act_dcf, compute_min_dcf
from src.metrics.eer import eer_of, eer_threshold_of
from src.metrics.roc import compute_auc

Unit = Literal["rate", "number", "count"]
Place = Literal["report", "page", "breakdowns", "leaderboard", "comparison"]
REPORTS: tuple[Place, ...] = ("report", "page")
EVERYWHERE: tuple[Place, ...] = (*REPORTS, "breakdowns", "leaderboard", "comparison")


@dataclass(frozen=True)
class Metric:
    """A metric: its names, its unit, which direction is better, and where it is shown."""

    key: str
    """Its name in reports and result files."""
    title: str
    unit: Unit = "number"
    """`rate`: in [0, 1], written in percent; `number`: four decimals; `count`: a whole number."""
    better: Literal["lower", "higher", ""] = ""
    """Which direction is better; empty for thresholds and counts that have none."""
    shown: tuple[Place, ...] = REPORTS
    """`report`: the table in the terminal; `page`: the table of a run's page; `breakdowns`: parts of a test, by gender,
    system and duration; `leaderboard`; `comparison`: several runs side by side in the terminal."""
    glossary: str = ""
    """What it means, for the glossary of the pages; empty where the title says it."""
    compute: Callable[[IntArray, FloatArray], float] | None = None
    """Computes it from labels (n,) and scores (n,); None where `report.evaluate` gets it otherwise."""

    @property
    def term(self) -> str:
        """Return the name of its entry in the glossary of the pages; empty where it has none.

        >>> METRICS["min_dcf"].term, METRICS["n_spoof"].term
        ('min-dcf', '')
        """
        return self.key.replace("_", "-") if self.glossary and "page" in self.shown else ""


_DOMAINS = (("system", "systems"), ("corpus", "corpora"))
"""What may be left out of a training: one, several."""
_ROWS = (
    Metric(
        "eer",
        "EER",
        "rate",
        "lower",
        EVERYWHERE,
        "Equal error rate: the share of wrong decisions at the threshold where the share of bona fide clips rejected "
        "equals that of spoofs accepted. 0 % is perfect, 50 % is guessing.",
        eer_of,
    ),
    *(
        Metric(
            f"eer_across_{domain}",
            f"EER across {domains}",
            "rate",
            "lower",
            glossary=f"Mean EER over {domains} that were left out of training, each against the bona fide clips of the "
            f"run that never heard it: what to expect of {domains} that are new. Each counts the same.",
        )
        for domain, domains in _DOMAINS
    ),
    Metric(
        "cue_baseline_eer",
        "Cue baseline EER",
        "rate",
        "lower",
        (*REPORTS, "breakdowns"),
        "EER, on the same clips, of a logistic regression on cheap cues alone (duration, level, silence, bandwidth, "
        "noise floor, offset, codec traces, file format), trained where the run was trained. A run that does no better "
        "may have learnt nothing else.",
    ),
    *(
        Metric(
            f"cue_baseline_eer_across_{domain}",
            f"Cue baseline EER across {domains}",
            "rate",
            "lower",
            glossary=f"Mean EER over {domains} that were left out, of cue baselines that never met them.",
        )
        for domain, domains in _DOMAINS
    ),
    Metric(
        "min_dcf",
        "min DCF",
        "number",
        "lower",
        EVERYWHERE,
        "Detection cost at the best threshold that these scores allow, with 5 % spoofs expected and an accepted spoof "
        "ten times as costly as a rejected bona fide clip. 1 is no better than one answer for all clips.",
        compute_min_dcf,
    ),
    Metric(
        "act_dcf",
        "act DCF",
        "number",
        "lower",
        (*REPORTS, "breakdowns", "comparison"),
        "The cost of min DCF at the threshold that log-likelihood ratios prescribe. The excess over min DCF is due "
        "to poor calibration.",
        compute_act_dcf,
    ),
    Metric(
        "cllr",
        "Cllr (bits)",
        "number",
        "lower",
        EVERYWHERE,
        "How many bits are lost when each score is read as a log-likelihood ratio. 0 is perfect, 1 is no information, "
        "above 1 is misleading.",
        compute_cllr,
    ),
    Metric(
        "auc",
        "AUC",
        "number",
        "higher",
        glossary="How often a bona fide clip scores above a spoof. 0.5 is guessing.",
        compute=compute_auc,
    ),
    Metric(
        "asv_eer",
        "ASV EER",
        "rate",
        "lower",
        REPORTS,
        "Equal error rate of the speaker verification system that the detector protects.",
    ),
    Metric(
        "min_tdcf_2019",
        "min t-DCF (2019)",
        "number",
        "lower",
        REPORTS,
        "Lowest cost of detector and speaker verification together, as ASVspoof 2019 weighs their errors.",
    ),
    Metric(
        "min_tdcf_2021",
        "min t-DCF (2021)",
        "number",
        "lower",
        REPORTS,
        "Lowest cost of detector and speaker verification together, as ASVspoof 2021 weighs their errors.",
    ),
    Metric(
        "accuracy",
        "Accuracy",
        "rate",
        "higher",
        (*REPORTS, "breakdowns"),
        "Share of clips decided correctly at the decision threshold. It changes with the share of spoofs in the test.",
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        "rate",
        "higher",
        glossary="Mean of the shares of bona fide clips and of spoofs that are decided correctly. 50 % is guessing.",
    ),
    Metric(
        "precision",
        "Precision",
        "rate",
        "higher",
        glossary="Of the clips that are called bona fide, the share that is.",
    ),
    Metric(
        "recall",
        "Recall",
        "rate",
        "higher",
        glossary="Of the bona fide clips, the share that is called bona fide.",
    ),
    Metric("f1", "F1", "rate", "higher", glossary="Harmonic mean of precision and recall."),
    Metric(
        "coverage",
        "Decided with rejection",
        "rate",
        "higher",
        glossary="Share of clips that are decided where scores near the threshold are left uncertain, so that on clips "
        "like those of validation no more of the decisions are wrong than was promised (`--reject=`, 5 % by default).",
    ),
    Metric(
        "decided_error",
        "Error among these",
        "rate",
        "lower",
        glossary="Share of the decisions with rejection that are wrong. Above what was promised, these clips are not "
        "like those of validation.",
    ),
    *(
        Metric(
            f"segment_eer_{milliseconds}",
            f"Segment EER, {milliseconds} ms",
            "rate",
            "lower",
            glossary=f"Equal error rate of all segments of {milliseconds} ms of all clips: a segment is a spoof if any "
            "part of it is, and its score is the lowest of its frames. Only detectors that decide frame by frame have "
            "one.",
        )
        for milliseconds in (20, 160, 640)
    ),
    Metric(
        "range_eer",
        "Range EER",
        "rate",
        "lower",
        glossary="Equal error rate of time: the share of the bona fide time that is called spoofed where it equals the "
        "share of the spoofed time that is not.",
    ),
    Metric(
        "frame_threshold",
        "Threshold of frames",
        glossary="A frame counts as spoofed where its score is below this threshold, which comes from validation data.",
    ),
    Metric(
        "threshold",
        "Decision threshold",
        glossary="A clip counts as bona fide where its score is at least the threshold. It comes from validation data, "
        "never from the test; accuracy and its relatives depend on it, EER and min DCF do not.",
    ),
    Metric("eer_threshold", "EER threshold", compute=eer_threshold_of),
    Metric("n_bonafide", "Bona fide clips", "count", "", (*REPORTS, "breakdowns")),
    Metric("n_spoof", "Spoof clips", "count", "", (*REPORTS, "breakdowns")),
    Metric("true_bonafide", "Bona fide accepted", "count", "higher"),
    Metric("false_spoof", "Bona fide rejected", "count", "lower"),
    Metric("true_spoof", "Spoofs rejected", "count", "higher"),
    Metric("false_bonafide", "Spoofs accepted", "count", "lower"),
    Metric("best_epoch", "Epoch of the saved weights", "count", "", ("page",)),
)
METRICS = {row.key: row for row in _ROWS}
"""Key -> metric, in the order in which metrics are shown."""


def shown_in(place: Place) -> list[Metric]:
    """Return the metrics that are shown in a place, in order.

    >>> [metric.title for metric in shown_in("comparison")]
    ['EER', 'min DCF', 'act DCF', 'Cllr (bits)']
    """
    return [metric for metric in METRICS.values() if place in metric.shown]


def written(value: float, unit: str) -> str:
    """Write a value as its unit asks for: rates in percent, numbers with four decimals, counts whole.

    >>> written(0.0321, "rate"), written(0.0321, "number"), written(12345678, "count"), written(1e20, "number")
    ('3.21 %', '0.0321', '12345678', '1e+20')
    """
    if unit == "count":
        return f"{value:.0f}" if abs(value) < 1e15 else f"{value:.4g}"
    if abs(value) >= 1e7:
        return f"{value:.4g}"
    return f"{100 * value:.2f} %" if unit == "rate" else f"{value:.4f}"


def written_bounds(low: float, high: float, unit: str) -> str:
    """Write the bounds of an interval, the unit once.

    >>> written_bounds(0.019, 0.05, "rate")
    '1.90 to 5.00 %'
    """
    return f"{written(low, unit).removesuffix(' %')} to {written(high, unit)}"
