"""A fusion of runs: a run of its own, fitted on the scores that its parts gave their validation clips."""

from dataclasses import dataclass
from pathlib import Path

from src.experiments.inputs.contract import TEST
from src.experiments.inputs.parts import read_parts
from src.experiments.inputs.scores import Scores
from src.experiments.runs.commands import how_to_test
from src.experiments.training.recipe import Recipe
from src.experiments.training.trainer import Run, train_model
from src.models.fusion import Fusion, FusionConfig

FUSION = "fusion"


@dataclass(frozen=True)
class FusedRun:
    """A fusion that has just been made."""

    run: Run
    formula: str
    """How the score is made of those of the parts."""
    next_commands: tuple[str, ...]
    """What tests it: first those of its parts that were not tested, then the fusion."""

    def __str__(self) -> str:
        return f"{self.run}, of the clips that it was fitted on. Score = {self.formula}"


def fuse_runs(names: str, method: str = "logistic", *, root: Path) -> FusedRun:
    """Fuse runs into `runs/run<m>`.

    Parameters
    ----------
    names : str
        Finished runs of one corpus, separated by commas; a study alone stands for its best trial.
    method : str
        "logistic" or "mean".
    root : Path
        Holds `runs/`.

    Raises
    ------
    ValueError
        When fewer than two runs are named, one twice, or they do not fit together.
    FileNotFoundError
        When a run is missing, did not finish, or left no scores of its validation clips.
    """
    wanted = Scores(tuple(name.strip() for name in names.split(",") if name.strip()))
    config = FusionConfig(method=method)
    parts = read_parts(wanted.runs, root)
    dataset = parts[0].corpus(root)
    run = train_model(Recipe(dataset, wanted, FUSION, config), root=root)
    assert isinstance(run.model, Fusion)
    untested = [place.how_to_make() for part in parts if not (place := part.place(dataset, TEST, root)).is_there]
    formula = run.model.formula([str(part.name) for part in parts])
    return FusedRun(run, formula, (*untested, how_to_test(run.name)))
