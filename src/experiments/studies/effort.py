"""How much a study is to search, and its result."""

from dataclasses import dataclass
from pathlib import Path

from src.experiments.corpus.held_out_domains import domains_in_words
from src.experiments.runs.names import StudyName


@dataclass(frozen=True)
class Effort:
    """How much is searched, by how many processes, and how many trials keep their weights."""

    trials: int | None = None
    """In total, including those of earlier starts; None = as many as the model's config names."""
    jobs: int = 0
    """Processes that train trials at the same time; 1 = this one, 0 = as cores, memory and the search allow."""
    timeout: float | None = None
    """Wall-clock seconds after which no trial is started; None = no limit."""
    keep: int = 5
    """Trials whose weights are kept."""

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise ValueError(f"`jobs` must be 0 (chosen by cores, memory and trials) or more, not {self.jobs}.")
        for name, value in (("trials", self.trials), ("keep", self.keep)):
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {value}.")
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise ValueError(f"`timeout` must be a number of seconds above 0, not {self.timeout:g}.")


@dataclass(frozen=True)
class StudyResult:
    """What a study found."""

    folder: Path
    n_trials: int
    n_new: int
    best_trial: int
    best_eer: float
    """Of validation or, where domains were left out, the mean over these."""
    jobs: int = 1
    """How many trials were trained at the same time; the same number and seed give the same study."""
    hold_out: str = ""
    """Which kinds of domains were left out to judge by: system, corpus, or both with a comma."""
    differing: str = ""
    """What validation in domain would have chosen instead, in words; empty where the same."""

    @property
    def name(self) -> StudyName:
        """The name of the study."""
        return StudyName.parse(self.folder.name)

    @property
    def outcome(self) -> str:
        """The result in words, without the folder and a full stop at the end."""
        what = f"lowest mean EER across {domains_in_words(self.hold_out)}" if self.hold_out else "best validation EER"
        best = f"{what} {self.best_eer:.2%} in trial {self.best_trial}"
        at_once = f", {self.jobs} at a time" if self.jobs > 1 and self.n_new else ""
        counts = f"{self.n_trials} trials, {self.n_new} new{at_once}"
        return ". ".join(filter(None, (f"{counts}; {best}", self.differing.removesuffix("."))))

    def __str__(self) -> str:
        return f"{self.folder}: {self.outcome}"
