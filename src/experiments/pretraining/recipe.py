"""Everything a pretraining is made from, and how it stands in `hyperparameters.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from src.experiments.runs.names import numbered
from src.pretraining.contract import PretrainingConfig
from src.utils.paths import noted_path, runs_folder

PRETRAINING = "pretraining"
"""What a folder of a pretraining is called in runs/; a number follows."""
PRETEXT_TRAIN, PRETEXT_VAL = "pretext_train", "pretext_val"
OWN_KEYS = ("corpora", "splits", "seed")


@dataclass(frozen=True)
class PretrainingRecipe:
    """Everything a pretraining is made from."""

    datasets: tuple[Path, ...]
    config: PretrainingConfig
    """Completed, so that nothing is left open."""
    splits: tuple[str, ...] = (PRETEXT_TRAIN,)
    """What is learnt from; `pretext_val` is held out."""
    seed: int = 7

    def __post_init__(self) -> None:
        if not self.datasets or not self.splits:
            raise ValueError("`dataset` and `splits` must each name one or more, separated by commas.")
        if PRETEXT_VAL in self.splits:
            raise ValueError(f"{PRETEXT_VAL} is held out, to tell when to stop: leave it out of `splits`.")

    def as_json(self, root: Path) -> dict[str, Any]:
        """Return what `hyperparameters.json` holds, flat."""
        corpora = [noted_path(root, dataset) for dataset in self.datasets]
        return {"corpora": corpora, "splits": list(self.splits), "seed": self.seed, **asdict(self.config)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], root: Path) -> Self:
        """Read it back."""
        own = {name: value for name, value in values.items() if name not in OWN_KEYS}
        config = PretrainingConfig.from_mapping(own)
        return cls(tuple(root / path for path in values["corpora"]), config, tuple(values["splits"]), values["seed"])


def pretraining_number(name: str) -> int:
    """Return the number of a pretraining, from a name such as `pretraining3` or a path to its folder.

    >>> pretraining_number("runs/pretraining3/")
    3

    Raises
    ------
    ValueError
        When it is not the name of one.
    """
    number = numbered(name.strip().strip("/").removeprefix("./").removeprefix("runs/"), PRETRAINING)
    if number is None:
        raise ValueError(f"'{name}' is not a pretraining; they have names such as {PRETRAINING}0.")
    return number


def find_pretraining(root: Path, name: str) -> Path:
    """Return the folder of a pretraining, finished or not; FileNotFoundError where there is none."""
    folder = runs_folder(root) / f"{PRETRAINING}{pretraining_number(name)}"
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no {folder.name} in {folder.parent}; fab PretrainBackbone makes one.")
    return folder


def how_to_resume_pretraining(folder: Path) -> str:
    """Return the command that resumes a pretraining.

    >>> how_to_resume_pretraining(Path("runs/pretraining3"))
    'fab PretrainBackbone --resume=pretraining3'
    """
    return f"fab PretrainBackbone --resume={folder.name}"
