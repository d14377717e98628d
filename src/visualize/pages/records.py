"""What the pages of a review show: plain records of the contents of `runs/`, complete or broken.

Everything may be missing: a run that was killed has no metrics, and a broken one lists what is wrong in `problems`.
Names and texts are as the files hold them. Rates are in [0, 1], scores higher for bona fide. URLs are relative to the
page that shows them, and percent-encoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.visualize.pages.explanations import Explanation


@dataclass(frozen=True)
class Estimate:
    """A metric with the bounds of its interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


Metrics = Mapping[str, Estimate]


@dataclass(frozen=True)
class Picture:
    """A PNG image; width and height in pixels."""

    name: str
    content: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Clip:
    """A clip that was decided wrongly."""

    file: str
    label: str
    score: float
    margin: float
    """How far the score lies on the wrong side of the threshold, >= 0."""
    speaker: str = ""
    system: str = ""
    url: str = ""
    """Of the recording; empty where it is missing."""


@dataclass(frozen=True)
class Outcome:
    """The result of a test."""

    folder: str
    """Within the run's folder; empty for the usual test."""
    about: Mapping[str, Any] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    breakdowns: Mapping[str, Mapping[str, Metrics]] = field(default_factory=dict)
    """Property (gender, system, duration) -> group -> its metrics."""
    pictures: tuple[Picture, ...] = ()
    wrong: tuple[Clip, ...] = ()
    """The worst of the clips that were decided wrongly, worst first."""
    n_wrong: int | None = None
    """How many clips were decided wrongly; None where that is unknown."""
    problems: tuple[str, ...] = ()
    cues: Mapping[str, Metrics] = field(default_factory=dict)
    """Cheap cue -> what it achieves by itself: EER of all spoofs, by "", and of each system's."""


@dataclass(frozen=True)
class Unheard:
    """How a model does on a domain that was left out of its training."""

    kind: str
    """What the domain is one of: systems or corpora."""
    domain: str
    clips: int
    eer: Estimate


@dataclass(frozen=True)
class Fold:
    """A fold of a cross-validation."""

    number: int
    left_out: str
    """System or corpus; empty where only people were left out."""
    people: int
    n_bonafide: int
    n_spoof: int
    validation_eer: float | None = None
    threshold: float | None = None
    eer: Estimate | None = None
    """None where its clips are of one class."""
    false_acceptance: float | None = None
    """Share of spoofs accepted at the fold's own threshold, as the share of bona fide clips rejected below."""
    false_rejection: float | None = None


@dataclass(frozen=True)
class StressPoint:
    """How a run does on clips that were distorted in one way, at one strength."""

    effect: str
    strength: str
    eer: Estimate
    false_acceptance: float | None = None
    """Share of spoofs accepted at the run's own threshold, as the share of bona fide clips rejected below."""
    false_rejection: float | None = None


@dataclass(frozen=True)
class Stress:
    """The result of a stress test: one point for each distortion and strength."""

    about: Mapping[str, Any] = field(default_factory=dict)
    clean: Estimate | None = None
    """EER of the clips as they are."""
    mean: Estimate | None = None
    """Mean EER of all points."""
    points: tuple[StressPoint, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run folder."""

    name: str
    """Within `runs/`: `run3` or `svm_study0/run3`."""
    url: str
    """Of its page, from `runs/`."""
    state: str
    """`finished`, `stopped early`, `did not finish` or `broken`."""
    study: str = ""
    number: int = -1
    """The m of `run<m>`."""
    is_best: bool = False
    has_weights: bool = True
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    validation: Metrics = field(default_factory=dict)
    split: str = ""
    """Name of the validation split."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    """Result of the usual test."""
    other_outcomes: tuple[Outcome, ...] = ()
    explanation: "Explanation | None" = None
    """What `fab ExplainRun` found."""
    stress: Stress | None = None
    """How it holds up under distortions, where that was tried."""
    benchmark: tuple[Outcome, ...] = ()
    """What it achieves on corpora from elsewhere, each by its protocol."""
    pictures: tuple[Picture, ...] = ()
    corpus: str = ""
    """Where its corpus lies; empty when that is not known."""
    next_command: str = ""
    """What tests it or, where it did not finish, trains it again."""
    across: Mapping[str, Estimate] = field(default_factory=dict)
    """Systems or corpora -> the mean EER across those that were left out of training in turn."""
    unheard: tuple[Unheard, ...] = ()
    too_few: str = ""
    """Why the mean EERs across them may choose badly; empty where there is no reason."""
    doubt: str = ""
    """Why the EER in domain says too little; empty where there is no reason."""
    folds: tuple[Fold, ...] = ()
    """Of a cross-validation."""
    problems: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """Its name within its study."""
        return self.name.rpartition("/")[2]

    @property
    def url_from_study(self) -> str:
        """URL of its page, from the page of its study."""
        return "/".join(self.url.split("/")[-2:])

    @property
    def ended(self) -> str:
        """When its training ended, according to the provenance; empty where that is unknown."""
        ended = self.provenance.get("ended")
        return ended if isinstance(ended, str) else ""

    def without_pictures(self) -> "Run":
        """Return the run as other pages need it, without pictures, clips and breakdowns."""
        light = self.outcome and replace(self.outcome, pictures=(), wrong=(), breakdowns={}, cues={})
        ended = {"ended": self.ended}
        cleared = replace(self, other_outcomes=(), benchmark=(), explanation=None, stress=None, pictures=())
        return replace(cleared, outcome=light, provenance=ended)


@dataclass(frozen=True)
class Trial:
    """A trial of a study, according to its storage or, without one, its folder."""

    number: int
    state: str
    """`finished`, `stopped early`, `failed`, `running` or `broken`."""
    value: float | None = None
    """Validation EER."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A study folder."""

    name: str
    url: str
    search: Mapping[str, Any] = field(default_factory=dict)
    best: int | None = None
    """Number of the best trial."""
    best_value: float | None = None
    trials: tuple[Trial, ...] = ()
    runs: tuple[Run, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()
    objective: str = ""
    """What it minimised, where that is not the validation EER: the mean EER across systems, say."""
    differing: str = ""
    """What validation in domain would have chosen instead; empty where the same."""


@dataclass(frozen=True)
class LayerComparison:
    """A folder of `fab CompareLayers`: the EER of each layer."""

    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[tuple[int, Estimate], ...] = ()
    """Layer and its validation EER."""
    picture: Picture | None = None
    problems: tuple[str, ...] = ()
    across: Mapping[str, Mapping[int, Estimate]] = field(default_factory=dict)
    """Systems or corpora -> layer -> the mean EER across those that were left out."""
    differing: str = ""
    """What validation in domain would choose otherwise; empty where the same."""


@dataclass(frozen=True)
class Review:
    """Everything in `runs/`."""

    runs: tuple[Run, ...] = ()
    """Runs that belong to no study."""
    studies: tuple[Study, ...] = ()
    comparisons: tuple[LayerComparison, ...] = ()
    foreign: tuple[str, ...] = ()
    """Names of everything else."""
    crosses: tuple[Run, ...] = ()
    """Cross-validations."""
