"""Reads a run folder, complete or broken, and its tests into the record that its page shows."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from src.experiments.evaluation.results import wrong_side
from src.experiments.report.benchmark_records import read_benchmark
from src.experiments.report.domain_records import doubt_of, means_across, read_unheard, too_few
from src.experiments.report.explanation_records import read_explanation
from src.experiments.report.files import (
    as_number,
    cues_of,
    exists,
    folders,
    metrics_of,
    read_object,
    read_pictures,
    read_rows,
)
from src.experiments.report.stress_records import read_stress
from src.experiments.runs.artefacts import (
    CALIBRATION,
    CHECKPOINTS,
    HYPERPARAMETERS,
    LAYER_PLOT,
    LOSS_PLOT,
    METRICS,
    PROVENANCE,
    SCORES,
    SPANS_PICTURE,
    TEST_RESULTS,
    TESTS_PREFIX,
)
from src.experiments.runs.commands import corpus_of, how_to_resume_training, next_command
from src.experiments.runs.lineage import corpus_path
from src.experiments.runs.names import RunName, StudyName
from src.experiments.training.models import MODELS, model_class
from src.utils.labels import BONAFIDE, LABEL_NAMES
from src.utils.paths import noted_path
from src.visualize.pages.records import Clip, Metrics, Outcome, Run

TRAINING_PICTURES = (LOSS_PLOT, LAYER_PLOT)
TEST_PICTURES = ("det_curve.png", "roc_curve.png", "score_histogram.png", "confusion_matrix.png", SPANS_PICTURE)
SCORE_COLUMNS = ("file", "label", "score", "speaker", "system")
MOST_WRONG = 20
PAGE = "report.html"


def read_run(name: RunName, root: Path, best: int | None = None) -> Run:
    """Read a run folder; never raises, whatever lies in it.

    Parameters
    ----------
    name : RunName
    root : Path
        The project, whose `datasets/` hold the recordings that pages play.
    best : int, optional
        The number of the best trial of its study, where it belongs to one.
    """
    problems: list[str] = []
    folder = name.folder(root)
    ended = exists(folder / METRICS)
    validation = read_object(folder / METRICS, problems)
    metrics = metrics_of(validation)
    if validation and "eer" not in metrics:
        problems.append(f"{METRICS} holds no EER")
    state = _state(ended, metrics, validation)
    inputs = read_object(folder / HYPERPARAMETERS, problems, required=ended)
    calibration = read_object(folder / CALIBRATION, problems, required=False)
    provenance = read_object(folder / PROVENANCE, problems, required=ended)
    usual, others = outcomes_of(folder, root)
    corpus = corpus_in(inputs, provenance, root)
    unheard = read_unheard(folder, problems)
    return Run(
        name=str(name),
        url=url_of(name),
        state=state,
        study=str(name.study or ""),
        number=-1 if name.number is None else name.number,
        is_best=name.study is not None and best == name.number,
        has_weights=_has_weights(folder, inputs),
        hyperparameters=inputs,
        validation=metrics,
        split=validation["split"] if isinstance(validation.get("split"), str) else "",
        calibration=calibration,
        provenance=provenance,
        outcome=usual,
        other_outcomes=others,
        explanation=read_explanation(folder),
        stress=read_stress(folder),
        benchmark=read_benchmark(folder),
        pictures=read_pictures(folder, TRAINING_PICTURES[_has_one_epoch(folder) :], problems),
        corpus=corpus,
        next_command=how_to_resume_training(name)
        if not ended and name.study is None and (folder / CHECKPOINTS).is_dir()
        else next_command(name, inputs, corpus or corpus_of(inputs, provenance), finished=state == "finished"),
        across=means_across(metrics),
        unheard=unheard,
        too_few=too_few(unheard),
        doubt=doubt_of(metrics),
        problems=tuple(problems),
    )


def corpus_in(inputs: Mapping[str, Any], provenance: Mapping[str, Any], root: Path) -> str:
    """Return where the corpus of a run lies, as the project notes it; empty when the run does not say."""
    if not isinstance(inputs.get("corpus"), str) or not isinstance(provenance.get("data"), Mapping):
        return ""
    return noted_path(root, corpus_path(inputs, provenance, root))


def url_of(name: RunName | StudyName) -> str:
    """Return the URL of the page of a run or a study, from `runs/`."""
    return quote(os.fsencode(f"{name}/{PAGE}"))


def _has_weights(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Tell whether a run has its weights; runs of unknown classifiers count as having them."""
    classifier = inputs.get("classifier")
    if not isinstance(classifier, str) or classifier not in MODELS:
        return True
    return any(exists(folder / name) for name in model_class(classifier).files)


def _has_one_epoch(run: Path) -> bool:
    """Tell whether a run has one epoch only: a curve of one point shows nothing."""
    try:
        return len(np.atleast_1d(np.load(run / "val_eers.npy", allow_pickle=False))) == 1
    except (OSError, ValueError, EOFError):
        return False


def outcomes_of(run: Path, root: Path) -> tuple[Outcome | None, tuple[Outcome, ...]]:
    """Return the usual test of a run, where there is one, and its tests on other data."""
    recordings = _Recordings(root, run)
    usual = None
    if exists(run / TEST_RESULTS) or exists(run / SCORES):
        usual = _read_outcome(run, "", recordings)
    others = [folder for folder in folders(run) if folder.name.startswith(f"{TESTS_PREFIX}-")]
    return usual, tuple(_read_outcome(folder, folder.name, recordings) for folder in others)


def _state(ended: bool, metrics: Metrics, validation: dict[str, Any]) -> str:
    if not ended:
        return "did not finish"
    if "eer" not in metrics:
        return "broken"
    return "stopped early" if validation.get("pruned") is True else "finished"


@dataclass(frozen=True)
class _Recordings:
    """Where recordings lie, as a page in a run's folder finds them."""

    root: Path
    page_folder: Path

    def url(self, corpus: object, file: str) -> str:
        """Return the relative URL of a recording; empty when it is not in `<root>/datasets/<corpus>`."""
        parts = PurePosixPath(file).parts
        if not isinstance(corpus, str) or not _is_name(corpus) or not parts or not all(map(_is_name, parts)):
            return ""
        path = self.root / "datasets" / corpus / Path(*parts)
        if not exists(path):
            return ""
        return quote(os.fsencode(Path(os.path.relpath(path, self.page_folder)).as_posix()))


def _is_name(part: str) -> bool:
    """Tell whether a part of a path leads down, not up or elsewhere."""
    return part not in ("", ".", "..") and "/" not in part and "\\" not in part and "\0" not in part


def _read_outcome(folder: Path, name: str, recordings: _Recordings) -> Outcome:
    problems: list[str] = []
    results = read_object(folder / TEST_RESULTS, problems)
    about = results.pop("about", {})
    about = about if isinstance(about, dict) else {}
    breakdowns, cues = _breakdowns(results.pop("breakdowns", {})), cues_of(results.pop("cues", {}))
    metrics = metrics_of(results)
    if results and "eer" not in metrics:
        problems.append(f"{TEST_RESULTS} holds no EER")
    worst: list[Clip] = []
    n_wrong = None
    if exists(folder / SCORES) and "threshold" in metrics:
        worst, n_wrong = _wrong_clips(folder / SCORES, metrics["threshold"].value, problems)
    shown = tuple(replace(clip, url=recordings.url(about.get("corpus"), clip.file)) for clip in worst)
    pictures = read_pictures(folder, TEST_PICTURES, problems)
    return Outcome(name, about, metrics, breakdowns, pictures, shown, n_wrong, tuple(problems), cues)


def _breakdowns(content: Any) -> dict[str, dict[str, Metrics]]:
    """Return what by -> group -> its metrics, of what is in that form."""
    if not isinstance(content, dict):
        return {}
    return {
        what: {name: metrics_of(group) for name, group in groups.items() if isinstance(group, dict)}
        for what, groups in content.items()
        if isinstance(groups, dict)
    }


def _wrong_clips(path: Path, threshold: float, problems: list[str]) -> tuple[list[Clip], int]:
    """Return the clips furthest on the wrong side of the threshold, and how many are on it."""
    rows = read_rows(path, SCORE_COLUMNS, problems, required=3)
    scores: list[float] = []
    for file, _, text, *_ in rows:
        score = as_number(text)
        if score is None:
            problems.append(f"{path.name}: the score of {file} is no number")
            break
        scores.append(score)
    bonafide = np.array([label == LABEL_NAMES[BONAFIDE] for _, label, *_ in rows[: len(scores)]], dtype=bool)
    order, margins = wrong_side(bonafide, np.array(scores), threshold)
    clips = []
    for index, margin in zip(order[:MOST_WRONG].tolist(), margins.tolist(), strict=False):
        file, label, _, speaker, system = rows[index]
        clips.append(Clip(file, label, scores[index], margin, speaker, system))
    return clips, len(order)
