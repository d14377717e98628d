"""A run folder, whole or broken, becomes the record that its page shows; its tests with it."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from src.experiments.review_files import (
    exists,
    finite,
    folders,
    metrics_of,
    read_object,
    read_pictures,
    read_rows,
)
from src.experiments.runs import HYPERPARAMETERS, METRICS, PROVENANCE, SCORES, TEST_RESULTS
from src.visualize.pages.records import Clip, Metrics, Outcome, Run

TRAINING_PICTURES = ("loss_plot.png",)
TEST_PICTURES = ("det_curve.png", "roc_curve.png", "score_histogram.png", "confusion_matrix.png")
WEIGHTS = ("*.safetensors", "*.skops")
MOST_WRONG = 20
PAGE = "report.html"


@dataclass(frozen=True)
class StudyOf:
    """What a run's record says of its study."""

    name: str
    best: int | None = None


def read_run(folder: Path, root: Path, study: StudyOf | None = None) -> Run:
    """Read a run folder; never raises on account of what lies in it.

    Parameters
    ----------
    folder : Path
        `runs/run<m>` or `runs/<study>/run<m>`.
    root : Path
        The project, whose `datasets/` hold the recordings that pages play.
    study : StudyOf, optional
        The study that it is a trial of.
    """
    problems: list[str] = []
    began = exists(folder / HYPERPARAMETERS)
    ended = exists(folder / METRICS)
    hyperparameters = read_object(folder / HYPERPARAMETERS, problems, required=ended)
    validation = read_object(folder / METRICS, problems, required=False)
    metrics = metrics_of(validation)
    provenance = read_object(folder / PROVENANCE, problems, required=ended)
    if ended and validation and "eer" not in metrics:
        problems.append(f"{METRICS} holds no EER")
    if not ended:
        problems.append(f"{METRICS} is missing" if began else f"{HYPERPARAMETERS} and {METRICS} are missing")
    corpora = _Recordings(root, folder)
    pictures = read_pictures(folder, TRAINING_PICTURES, problems)
    tests = [_read_outcome(path, path.name, corpora) for path in folders(folder) if path.name.startswith("test-")]
    usual = None
    if exists(folder / TEST_RESULTS) or exists(folder / SCORES):
        usual = _read_outcome(folder, "", corpora)
    name = f"{study.name}/{folder.name}" if study else folder.name
    number = int(folder.name.removeprefix("run"))
    return Run(
        name,
        quote(os.fsencode(f"{name}/{PAGE}")),
        _state(ended, metrics, validation),
        study.name if study else "",
        number,
        study is not None and study.best == number,
        any(any(folder.glob(pattern)) for pattern in WEIGHTS),
        hyperparameters,
        metrics,
        validation["split"] if isinstance(validation.get("split"), str) else "",
        provenance,
        usual,
        tuple(tests),
        pictures,
        tuple(problems),
    )


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
    breakdowns = _breakdowns(results.pop("breakdowns", {}))
    metrics = metrics_of(results)
    if results and "eer" not in metrics:
        problems.append(f"{TEST_RESULTS} holds no EER")
    wrong: list[Clip] | None = None
    if exists(folder / SCORES) and "threshold" in metrics:
        wrong = _wrong_clips(folder / SCORES, metrics["threshold"].value, problems)
    shown = [
        Clip(**{**vars(clip), "url": recordings.url(about.get("corpus"), clip.file)})
        for clip in (wrong or [])[:MOST_WRONG]
    ]
    pictures = read_pictures(folder, TEST_PICTURES, problems)
    n_wrong = None if wrong is None else len(wrong)
    return Outcome(name, about, metrics, breakdowns, pictures, tuple(shown), n_wrong, tuple(problems))


def _breakdowns(content: Any) -> dict[str, dict[str, Metrics]]:
    """Return what by -> group -> its metrics, of what is in that form."""
    if not isinstance(content, dict):
        return {}
    return {
        what: {name: metrics_of(group) for name, group in groups.items() if isinstance(group, dict)}
        for what, groups in content.items()
        if isinstance(groups, dict)
    }


def _wrong_clips(path: Path, threshold: float, problems: list[str]) -> list[Clip]:
    """Return the clips on the wrong side of the threshold, the furthest first."""
    wrong = []
    for row in read_rows(path, ("file", "label", "score"), problems):
        try:
            score = finite(float(row["score"]))
        except ValueError:
            score = None
        if score is None:
            problems.append(f"{path.name}: the score of {row['file']} is no number")
            break
        is_bonafide = row["label"] == "bona-fide"
        margin = threshold - score if is_bonafide else score - threshold
        if margin > 0 or (margin == 0 and not is_bonafide):
            clip = Clip(row["file"], row["label"], score, margin, row.get("speaker", ""), row.get("system", ""))
            wrong.append(clip)
    return sorted(wrong, key=lambda clip: (-clip.margin, clip.file))
