"""A run trained again from its files: does it give the same scores?

The same data, hyperparameters, seed and number of threads, in the folder `reproduction` inside the run. On the same
machine and versions the scores agree to the last bit; elsewhere the result says how far they differ, and what has
changed in code, versions and machine.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.experiments.inputs.contract import (
    TEST,
    TRAIN,
    VAL,
    OpenInput,
    TrainingData,
    read_training_data,
    require_same_data,
)
from src.experiments.runs.artefacts import (
    CALIBRATION,
    SCORES,
    TEST_PROVENANCE,
    TEST_RESULTS,
    read_array,
    read_scores,
)
from src.experiments.runs.names import RunName
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trained import Trained, read_trained, read_trained_folder
from src.experiments.training.trainer import train_run
from src.metrics.eer import eer_of
from src.utils.clip_table import ClipTable
from src.utils.files import read_record, write_json
from src.utils.threads import limited_threads

FOLDER, RESULT, VAL_LOSSES = "reproduction", "reproduction.json", "val_losses.npy"


@dataclass(frozen=True)
class Agreement:
    """How two sets of numbers compare."""

    what: str
    n: int
    largest_difference: float
    eers: tuple[float, float] | None = None
    """EER before and now, where the numbers are scores."""

    @property
    def is_exact(self) -> bool:
        """Whether they agree to the last bit."""
        return self.largest_difference == 0.0

    def __str__(self) -> str:
        if self.is_exact:
            return f"{self.what}: {self.n} of {self.n} agree to the last bit"
        if np.isinf(self.largest_difference):
            return f"{self.what}: {self.n} before, another number now"
        eers = "" if self.eers is None else f"; EER {self.eers[0]:.2%} before, {self.eers[1]:.2%} now"
        return f"{self.what}: {self.n} differ by up to {self.largest_difference:.3g}{eers}"


@dataclass(frozen=True)
class Reproduction:
    """The result of repeating a run."""

    folder: Path
    agreements: list[Agreement]
    circumstances: list[str]
    """What differs in code, versions and machine, in words."""

    @property
    def is_exact(self) -> bool:
        """Whether everything agrees to the last bit."""
        return all(agreement.is_exact for agreement in self.agreements)

    def __str__(self) -> str:
        verdict = "Reproduced bit for bit." if self.is_exact else "Not reproduced bit for bit."
        unchanged = ["Code, versions and machine are the same."]
        differing = [f"Changed: {line}" for line in self.circumstances] or unchanged
        return "\n".join([*map(str, self.agreements), *differing, f"{verdict} {self.folder}"])


def reproduce_run(name: RunName, *, root: Path, dataset: Path | None = None) -> Reproduction:
    """Repeat a run and compare its scores.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    root : Path
        Holds `datasets/`, `embeddings/` and `runs/`.
    dataset : Path, optional
        Where the corpus of the run lies; where the run noted it when it is not given.

    Raises
    ------
    ValueError
        When the data are not those of the run any more.
    """
    started = now()
    trained = read_trained(root, name, dataset)
    if dataset and dataset.name != trained.inputs["corpus"]:
        raise ValueError(f"{trained.folder} was trained on the corpus {trained.inputs['corpus']}, not {dataset.name}.")
    opened = trained.open(trained.recipe.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)
    for split, origin in data.origins.items():
        require_same_data(trained.recipe.input, split, trained.origin(split), origin, trained.folder)
    tested = _read_test(trained, opened)  # errors come before anything is trained
    again, agreements = _train_again(trained, data, root)
    agreements += _compare_test(again, tested)
    if not agreements:  # an untested run whose weights its study dropped
        agreements.append(_compare_metrics(trained.metrics, again.metrics))
    agreements.append(_compare_losses(read_array(trained.folder / VAL_LOSSES), again.folder))
    now_here = describe_origin(seed=trained.recipe.seed, data={}, started=started)
    found = Reproduction(again.folder, agreements, _differences(trained.provenance, now_here))
    write_json(
        again.folder / RESULT,
        {
            "bit_for_bit": found.is_exact,
            "exact": {agreement.what: agreement.is_exact for agreement in agreements},
            "in_words": [str(agreement) for agreement in agreements],
            "not_as_it_was": found.circumstances,
        },
    )
    return found


def _train_again(trained: Trained, data: TrainingData, root: Path) -> tuple[Trained, list[Agreement]]:
    """Train into the folder `reproduction` of the run, with its number of threads; compare validation scores."""
    n_epochs, pruned = len(read_array(trained.folder / VAL_LOSSES)), trained.metrics.get("pruned", False)
    folder = trained.folder / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with limited_threads(_threads_of(trained.provenance)):
        train_run(trained.recipe, data, folder, watch=lambda epoch, _: pruned and epoch + 1 == n_epochs)
        if not trained.is_calibrated:  # of an earlier version, which has raw scores
            (folder / CALIBRATION).unlink()
        again = read_trained_folder(folder, root, trained.recipe.dataset)
        return again, _compare_scores(trained, again, data.val)


def _compare_scores(trained: Trained, again: Trained, val: ClipTable) -> list[Agreement]:
    """Compare the scores of validation clips, if the run still has its weights."""
    if not trained.has_weights:
        return []
    return [_agreement("validation scores", val.labels, trained.scores(val), again.scores(val))]


@dataclass(frozen=True)
class _Test:
    """The usual test of a run: its clips, the scores that were written of them, and the threads that computed these."""

    clips: ClipTable
    scores: np.ndarray
    n_threads: int


def _threads_of(origin: Mapping[str, Any]) -> int:
    """Return how many threads a record of provenance names; earlier versions, which name none, used one."""
    return int(origin["machine"].get("threads") or 1)


def _read_test(trained: Trained, opened: OpenInput) -> _Test | None:
    """Return the usual test; None where it was not made."""
    run = trained.folder
    if not (run / TEST_RESULTS).is_file() or not (run / SCORES).is_file():
        return None
    origin = read_record(run / TEST_PROVENANCE, "data", "machine")
    eaten = trained.recipe.input
    require_same_data(eaten, TEST, origin["data"][eaten.kind][TEST], opened.origin(TEST), run)
    clips, written = opened.read(TEST), read_scores(run)
    if written["file"].tolist() != clips.files.tolist():
        raise ValueError(f"{run / SCORES} is of other clips than {TEST} holds now; test the run again.")
    return _Test(clips, written["score"].to_numpy(float), _threads_of(origin))


def _compare_test(again: Trained, tested: _Test | None) -> list[Agreement]:
    """Compare the scores of the usual test, where the run was tested."""
    if tested is None:
        return []
    with limited_threads(tested.n_threads):
        scores = again.scores(tested.clips)
    return [_agreement("test scores", tested.clips.labels, tested.scores, scores)]


def _compare_losses(before: np.ndarray, folder: Path) -> Agreement:
    after = read_array(folder / VAL_LOSSES)
    if len(before) != len(after):
        return Agreement("validation losses", len(before), float("inf"))
    return Agreement("validation losses", len(before), _largest_difference(before, after))


def _compare_metrics(before: Mapping[str, Any], after: Mapping[str, Any]) -> Agreement:
    """Compare the validation metrics."""
    names = [name for name, value in before.items() if isinstance(value, int | float)]
    numbers = (np.array([found.get(name, np.inf) for name in names], dtype=float) for found in (before, after))
    eers = (before["eer"], after["eer"])
    return Agreement("validation metrics", len(names), _largest_difference(*numbers), eers)


def _agreement(what: str, labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> Agreement:
    eers = eer_of(labels, before), eer_of(labels, after)
    return Agreement(what, len(before), _largest_difference(before, after), eers)


def _largest_difference(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.max(np.abs(before - after), initial=0.0))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """List the differences in code, versions and machine."""
    named = {"code": (before["code"], after["code"]), "Python": (before["python"], after["python"])}
    for package in sorted({*before["packages"], *after["packages"]}):
        named[package] = (before["packages"].get(package, "none"), after["packages"].get(package, "none"))
    for part in ("system", "processor", "gpu"):
        named[part] = (before["machine"].get(part), after["machine"].get(part))
    return [f"{name} {was or 'none'}, now {is_now or 'none'}" for name, (was, is_now) in named.items() if was != is_now]
