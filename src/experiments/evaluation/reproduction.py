"""A run repeated from what it left behind: do its scores come out again?

The same data, hyperparameters, seed and number of threads, in the folder `reproduction` inside the run. On the same
machine and versions the scores agree to the last bit; elsewhere it is said how far they lie apart, and in what the
circumstances differ.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.experiments.inputs.embeddings import read_split_embeddings, read_training_data, require_unchanged_recordings
from src.experiments.runs.folders import (
    CALIBRATION,
    METRICS,
    PROVENANCE,
    SCORES,
    TEST_PROVENANCE,
    TEST_RESULTS,
    WEIGHTS,
    find_run,
    read_array,
    read_hyperparameters,
    read_scores,
)
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trainer import CONTEXT, Recipe, load_calibration, load_run, train_run
from src.metrics.eer import detection_error_curve, equal_error_point
from src.models import classifier_class
from src.utils.embeddings import EmbeddingTable
from src.utils.files import read_record, write_json
from src.utils.threads import limited_threads

FOLDER, RESULT = "reproduction", "reproduction.json"


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
        return f"{self.what}: up to {self.largest_difference:.3g} apart, of {self.n}{eers}"


@dataclass(frozen=True)
class Reproduction:
    """What came out of repeating a run."""

    folder: Path
    agreements: list[Agreement]
    circumstances: list[str]
    """What is not as it was, in words."""

    @property
    def is_exact(self) -> bool:
        """Whether everything agrees to the last bit."""
        return all(agreement.is_exact for agreement in self.agreements)

    def __str__(self) -> str:
        verdict = "Reproduced bit for bit." if self.is_exact else "Not reproduced bit for bit."
        unchanged = ["Code, versions and machine are the same."]
        differing = [f"Not as it was: {line}" for line in self.circumstances] or unchanged
        return "\n".join([*map(str, self.agreements), *differing, f"{verdict} {self.folder}"])


def reproduce_run(
    *, root: Path, run_number: int = -1, study_number: int = -1, classifier: str = "", dataset: Path | None = None
) -> Reproduction:
    """Repeat a run and compare its scores.

    Parameters
    ----------
    root : Path
        Holds `datasets/`, `embeddings/` and `runs/`.
    run_number, study_number, classifier
        Which run; a study without a run number stands for its best trial.
    dataset : Path, optional
        Where the corpus of the run lies; `<root>/datasets/<corpus>` where it is not given.

    Raises
    ------
    ValueError
        When the data are not those of the run any more.
    """
    started = now()
    run = find_run(root, run_number, study_number, classifier)
    recipe = _recipe(run, root, dataset)
    origin = read_record(run / PROVENANCE, "data", "machine", "packages", "code", "python")
    require_unchanged_recordings(root, recipe.dataset, recipe.backbone, "downstream_train", "downstream_val")
    data = read_training_data(root, recipe.dataset, recipe.backbone, recipe.layer, recipe.pooling)
    _require_same_data(run, origin["data"]["embeddings"], data.metas)
    tested = _read_test(run, recipe, root)  # refused, if at all, before anything is trained
    losses, metrics = read_array(run / "val_losses.npy"), read_record(run / METRICS)
    pruned = metrics.get("pruned", False)
    folder = run / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with limited_threads(_threads_of(origin)):
        train_run(recipe, data, folder, root=root, watch=lambda epoch, _: pruned and epoch + 1 == len(losses))
        if not (run / CALIBRATION).is_file():  # of an earlier version, whose scores are as the classifier gives them
            (folder / CALIBRATION).unlink()
        agreements = _compare_scores(run, folder, data.val)
    agreements += _compare_test(folder, tested)
    if not agreements:  # of a study that kept no weights of it
        agreements.append(_compare_metrics(metrics, read_record(folder / METRICS)))
    agreements.append(_compare_losses(losses, folder))
    now_here = describe_origin(root, seed=recipe.seed, data={}, started=started)
    found = Reproduction(folder, agreements, _differences(origin, now_here))
    write_json(
        folder / RESULT,
        {
            "bit_for_bit": found.is_exact,
            "exact": {agreement.what: agreement.is_exact for agreement in agreements},
            "in_words": [str(agreement) for agreement in agreements],
            "not_as_it_was": found.circumstances,
        },
    )
    return found


def _recipe(run: Path, root: Path, dataset: Path | None) -> Recipe:
    inputs = read_hyperparameters(run)
    corpus = dataset or root / "datasets" / inputs["corpus"]
    if corpus.name != inputs["corpus"]:
        raise ValueError(f"{run} was trained on the corpus {inputs['corpus']}, not {corpus.name}.")
    own = {key: value for key, value in inputs.items() if key not in CONTEXT}
    config = classifier_class(inputs["classifier"]).Config.from_mapping(own)
    place = (inputs["layer"], inputs["pooling"], inputs["seed"])
    return Recipe(corpus, inputs["backbone"], inputs["classifier"], config, *place)


def _require_same_data(run: Path, before: Mapping[str, Any], now_there: Mapping[str, Any]) -> None:
    keys = ("model", "digest", "precision", "corpus_digest", "split_digest")
    for split, meta in now_there.items():
        changed = [key for key in keys if before[split].get(key) != meta.get(key)]
        if changed:
            raise ValueError(
                f"The embeddings of {split} are not those that {run} was made from (other {', '.join(changed)}): "
                "bring back that split and those embeddings, or train anew."
            )


def _scores(run: Path, vectors: np.ndarray) -> np.ndarray:
    return load_calibration(run).apply(load_run(run).scores(vectors))


def _compare_scores(run: Path, folder: Path, val: EmbeddingTable) -> list[Agreement]:
    """Compare the scores of validation clips, where the run's weights are still there."""
    if not any((run / name).is_file() for name in WEIGHTS):
        return []
    return [_agreement("validation scores", val.labels, _scores(run, val.vectors), _scores(folder, val.vectors))]


@dataclass(frozen=True)
class _Test:
    """The usual test of a run: its clips, the scores that were written of them, and the threads that computed these."""

    clips: EmbeddingTable
    scores: np.ndarray
    n_threads: int


def _threads_of(origin: Mapping[str, Any]) -> int:
    """Return how many threads a record of provenance names; earlier versions, which name none, used one."""
    return int(origin["machine"].get("threads") or 1)


def _read_test(run: Path, recipe: Recipe, root: Path) -> _Test | None:
    """Return the usual test; None where it was not made."""
    if not (run / TEST_RESULTS).is_file() or not (run / SCORES).is_file():
        return None
    place = (recipe.dataset, recipe.backbone, "downstream_test", recipe.layer, recipe.pooling)
    test, meta = read_split_embeddings(root, *place)
    origin = read_record(run / TEST_PROVENANCE, "data", "machine")
    _require_same_data(run, origin["data"]["embeddings"], {"downstream_test": meta})
    written = read_scores(run)
    if written["file"].tolist() != test.files.tolist():
        raise ValueError(f"{run / SCORES} is of other clips than downstream_test holds now; test the run again.")
    return _Test(test, written["score"].to_numpy(float), _threads_of(origin))


def _compare_test(folder: Path, tested: _Test | None) -> list[Agreement]:
    """Compare the scores of the usual test, where the run was tested."""
    if tested is None:
        return []
    with limited_threads(tested.n_threads):
        scores = _scores(folder, tested.clips.vectors)
    return [_agreement("test scores", tested.clips.labels, tested.scores, scores)]


def _compare_losses(before: np.ndarray, folder: Path) -> Agreement:
    after = read_array(folder / "val_losses.npy")
    if len(before) != len(after):
        return Agreement("validation losses", len(before), float("inf"))
    return Agreement("validation losses", len(before), _largest_difference(before, after))


def _compare_metrics(before: Mapping[str, Any], after: Mapping[str, Any]) -> Agreement:
    """Compare the numbers that validation found."""
    names = [name for name, value in before.items() if isinstance(value, int | float)]
    numbers = (np.array([found.get(name, np.inf) for name in names], dtype=float) for found in (before, after))
    eers = (before["eer"], after["eer"])
    return Agreement("validation metrics", len(names), _largest_difference(*numbers), eers)


def _agreement(what: str, labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> Agreement:
    eers = tuple(equal_error_point(*detection_error_curve(labels, scores))[0] for scores in (before, after))
    return Agreement(what, len(before), _largest_difference(before, after), (eers[0], eers[1]))


def _largest_difference(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.max(np.abs(before - after), initial=0.0))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say in what code, versions and machine differ."""
    named = {"code": (before["code"], after["code"]), "Python": (before["python"], after["python"])}
    for package in sorted({*before["packages"], *after["packages"]}):
        named[package] = (before["packages"].get(package, "none"), after["packages"].get(package, "none"))
    for part in ("system", "processor", "gpu"):
        named[part] = (before["machine"].get(part), after["machine"].get(part))
    return [f"{name} {was or 'none'}, now {is_now or 'none'}" for name, (was, is_now) in named.items() if was != is_now]
