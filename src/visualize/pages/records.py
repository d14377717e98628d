"""What the pages of a review show: plain records of the contents of `runs/`, complete or broken.

Everything may be missing: a run that was killed has no metrics, and a broken one lists what is wrong in `problems`.
Names and texts are as the files hold them. Rates are in [0, 1], scores higher for bona fide. URLs are relative to the
page that shows them, and percent-encoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


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
    stress: Stress | None = None
    """How it holds up under distortions, where that was tried."""
    pictures: tuple[Picture, ...] = ()
    corpus: str = ""
    """Where its corpus lies; empty when that is not known."""
    next_command: str = ""
    """What tests it or, where it did not finish, trains it again."""
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
        light = self.outcome and replace(self.outcome, pictures=(), wrong=(), breakdowns={})
        ended = {"ended": self.ended}
        return replace(self, outcome=light, other_outcomes=(), stress=None, pictures=(), provenance=ended)


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


@dataclass(frozen=True)
class LayerComparison:
    """A folder of `fab CompareLayers`: the EER of each layer."""

    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[tuple[int, Estimate], ...] = ()
    """Layer and its validation EER."""
    picture: Picture | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """Everything in `runs/`."""

    runs: tuple[Run, ...] = ()
    """Runs that belong to no study."""
    studies: tuple[Study, ...] = ()
    comparisons: tuple[LayerComparison, ...] = ()
    foreign: tuple[str, ...] = ()
    """Names of everything else."""


@dataclass(frozen=True)
class Sound:
    """A clip to listen to: what was done to it, the URL of its audio, its waveform and spectrogram."""

    title: str
    audio: str
    picture: Picture


@dataclass(frozen=True)
class SoundGroup:
    """Sounds of one effect, from mild to severe."""

    name: str
    title: str
    about: str
    sounds: tuple[Sound, ...]


@dataclass(frozen=True)
class Gallery:
    """What effects make of one clip."""

    clip: str
    seed: int
    original: Sound
    groups: tuple[SoundGroup, ...]
    left_out: tuple[str, ...] = ()
    """Why effects are not there, a line each."""
