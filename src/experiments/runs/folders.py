"""Run folders: numbered by exclusive creation, found by number, and explained by what lies in them.

    runs/run<m>                        a single training
    runs/<classifier>_study<k>/run<m>  trial m of a study

Making a folder fails when it is there, whoever made it: of two processes that reach for a number one gets it and the
other takes the next. Counting folders instead would give one number twice.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from src.utils.files import atomic_path, read_record
from src.utils.paths import runs_folder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HYPERPARAMETERS, PROVENANCE, METRICS = "hyperparameters.json", "provenance.json", "metrics.json"
CALIBRATION, LOSS_PLOT = "calibration.json", "loss_plot.png"
TEST_RESULTS, TEST_PROVENANCE, SCORES = "test_results.json", "test_provenance.json", "scores.csv"
BEST = "best_hyperparameters.json"
WEIGHTS = ("best_model.safetensors", "final_model.safetensors", "model.safetensors", "model.skops")
"""Where classifiers keep what they learned; a study keeps them of its best trials only."""
PICTURE_DPI = 150


def new_numbered_folder(parent: Path, prefix: str, *, above: int = -1) -> Path:
    """Make the folder `<parent>/<prefix><n>`, n above all that are there and above `above`, for this caller alone."""
    parent.mkdir(parents=True, exist_ok=True)
    number = max([above, *existing_numbers(parent, prefix)]) + 1
    while True:
        folder = parent / f"{prefix}{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder that is worked on for a long time for this process.

    Raises
    ------
    ValueError
        When another process holds it.
    """
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(f"Another process is at work on {folder.name}; wait for it to end.") from None


def existing_numbers(parent: Path, prefix: str) -> list[int]:
    """Return the numbers n for which `<parent>/<prefix><n>` is there, ascending; `run007` is nobody's run 7."""
    if not parent.is_dir():
        return []
    matches = (re.fullmatch(re.escape(prefix) + r"(0|[1-9]\d*)", path.name) for path in parent.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def find_study(root: Path, classifier: str, study_number: int) -> Path:
    """Return the folder of a study.

    Raises
    ------
    FileNotFoundError
        When there is none of that number; the line lists those there are.
    """
    folder = runs_folder(root) / f"{classifier}_study{study_number}"
    if not folder.is_dir():
        there = existing_numbers(runs_folder(root), f"{classifier}_study")
        raise FileNotFoundError(
            f"There is no study {study_number} of {classifier}; {_listed('studies', there)}. "
            f"fab OptimizeHyperparameters --classifier={classifier} makes one."
        )
    return folder


def find_run(root: Path, run_number: int, study_number: int = -1, classifier: str = "") -> Path:
    """Return the folder of a finished run, of a study where its number is given (run -1: the study's best).

    Raises
    ------
    ValueError
        When neither run nor study is named, or a study without its classifier.
    FileNotFoundError
        When there is no such study or run, or the run did not finish.
    """
    if study_number < 0 and run_number < 0:
        raise ValueError("Which run? Give --run-number=, or --study-number= for the best run of a study.")
    if study_number >= 0 and not classifier:
        raise ValueError("Whose study? Give --classifier= beside --study-number=.")
    parent = runs_folder(root)
    if study_number >= 0:
        parent = find_study(root, classifier, study_number)
        if run_number < 0:
            run_number = _best_run(parent)
            if not (parent / f"run{run_number}").is_dir():
                inputs = read_record(parent / BEST, "best_hyperparameters")["best_hyperparameters"]
                raise FileNotFoundError(
                    f"The best trial of {parent}, run {run_number}, is not here: test it on the machine that trained "
                    f"it, or train it here with {how_to_train_again(inputs, parent / BEST)}."
                )
    folder = parent / f"run{run_number}"
    if not folder.is_dir():
        there = existing_numbers(parent, "run")
        raise FileNotFoundError(
            f"There is no run {run_number} in {parent}; {_listed('runs', there)}. fab TrainModel makes one."
        )
    if not (folder / METRICS).is_file():
        raise FileNotFoundError(f"{folder} did not finish (no {METRICS}); train again, or resume its study.")
    return folder


def read_hyperparameters(run: Path) -> dict[str, Any]:
    """Return the inputs of a run."""
    return read_record(run / HYPERPARAMETERS, "corpus", "backbone", "classifier", "layer", "pooling", "seed")


def save_array(path: Path, values: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all."""
    with atomic_path(path) as temporary:
        np.save(temporary, values, allow_pickle=False)


def how_to_train_again(inputs: Mapping[str, Any], hyperparameters: Path) -> str:
    """Return the command that trains a run of these inputs again, by the file that holds them.

    >>> inputs = {"corpus": "mini", "backbone": "lfcc", "classifier": "svm", "seed": 7}
    >>> how_to_train_again(inputs, Path("h.json"))
    'fab TrainModel --dataset=datasets/mini --backbone=lfcc --classifier=svm --seed=7 --hyperparameters=h.json'
    """
    flags = {"dataset": f"datasets/{inputs['corpus']}"} | {
        key: inputs[key] for key in ("backbone", "classifier", "seed")
    }
    flags["hyperparameters"] = str(hyperparameters)
    return " ".join(["fab TrainModel", *(f"--{flag}={quote(str(value))}" for flag, value in flags.items())])


def read_array(path: Path) -> np.ndarray:
    """Read an array that `save_array` wrote.

    Raises
    ------
    ValueError
        When the file is not there or damaged.
    """
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise ValueError(f"{path} {why}: train again.") from None


def read_scores(run: Path) -> "pd.DataFrame":
    """Read `scores.csv` of a tested run: every column text as it was written, but the score, which is exact.

    Raises
    ------
    ValueError
        When the file is damaged.
    """
    import pandas as pd

    path = run / SCORES
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
        missing = [name for name in ("file", "label", "score", "speaker", "gender", "system") if name not in table]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        return table.astype({"score": float})
    except ValueError as error:  # of pandas as well
        raise ValueError(f"{path} is damaged ({error}): test the run again.") from None


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=PICTURE_DPI)


def _best_run(study: Path) -> int:
    path = study / BEST
    if not path.is_file():
        raise FileNotFoundError(f"{study} has no finished trial yet; go on with fab OptimizeHyperparameters.")
    return int(read_record(path, "best_trial_number")["best_trial_number"])


def _listed(what: str, numbers: list[int]) -> str:
    if not numbers:
        return f"there are no {what} yet"
    shown = ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
    return f"{what} there: {shown}"
