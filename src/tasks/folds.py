"""The task that scores every clip of a corpus by a run that did not know it."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.classifiers import JOINED, ModelFlags
from src.tasks.command_line import command
from src.tasks.detectors import parse_settings
from src.utils.paths import ROOT


@dataclass(frozen=True)
class CrossFlags(ModelFlags):
    """The flags of CrossValidate."""

    hyperparameters: Path | None = None
    workers: int = 0
    folds: int = 5
    by: str = "person"


@command(
    "CrossValidate",
    backbone=JOINED,
    layer="hidden layer, -1 = the last; mix = all, weighted; 0+4 = of two backbones (default: as --hyperparameters)",
    pooling="mean, std or mean+std (default: that of --hyperparameters, else mean)",
    hyperparameters="JSON file, such as that of a run or a study's best; defaults fill the rest; its seed is ignored",
    set="hyperparameters such as epochs=5,channels=16; they take precedence over --hyperparameters",
    workers="processes that read recordings for a detector; 0 = the training itself (default)",
    folds="shares of the people: one is scored, the next validates, the others train (default 5, at least 3)",
    by="what no run knows of the clips it scores: person (default); system = neither person nor spoof system, "
    "systems x folds runs; corpus = nobody of the clip's corpus, a run for each corpus of a merged one",
)
def cross_validate(c: Connection, flags: CrossFlags) -> None:
    """Score all downstream clips by runs that did not know them; pooled verdict and folds in runs/cross<k>."""
    from src.experiments.evaluation import cross_validation
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.trainer import Aids

    recipe = choose_recipe(
        flags.dataset,
        flags.input(),
        flags.detector or flags.classifier,
        hyperparameters=flags.hyperparameters,
        values=parse_settings(flags.set),
        seed=flags.seed,
    )
    scheme = cross_validation.Scheme(flags.by, flags.folds)
    found = cross_validation.cross_validate(recipe, scheme, root=ROOT, aids=Aids(workers=flags.workers))
    print(f"{found}\nWritten to {found.folder}. Next: fab ReportRuns")
