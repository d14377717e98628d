"""Reads a cross-validation, complete or broken, into the record of a run: its page shows folds and a pooled verdict."""

from pathlib import Path

from src.experiments.report.files import as_number, exists, read_object, read_rows
from src.experiments.report.run_records import corpus_in, outcomes_of, url_of
from src.experiments.runs.artefacts import FOLDS, HYPERPARAMETERS, PROVENANCE, TEST_RESULTS
from src.experiments.runs.names import RunName
from src.visualize.pages.records import Estimate, Fold, Run

COLUMNS = ("fold", "left_out", "people", "n_bonafide", "n_spoof", "validation_eer", "threshold")
ERRORS = ("eer", "low", "high", "false_acceptance", "false_rejection")


def read_cross(name: RunName, root: Path) -> Run:
    """Read the folder of a cross-validation; never raises, whatever lies in it."""
    problems: list[str] = []
    folder = name.folder(root)
    is_finished = exists(folder / TEST_RESULTS)
    inputs = read_object(folder / HYPERPARAMETERS, problems)
    provenance = read_object(folder / PROVENANCE, problems, required=is_finished)
    outcome, _ = outcomes_of(folder, root) if is_finished else (None, ())
    return Run(
        name=str(name),
        url=url_of(name),
        state="finished" if is_finished else "did not finish",
        number=-1 if name.number is None else name.number,
        hyperparameters=inputs,
        provenance=provenance,
        outcome=outcome,
        corpus=corpus_in(inputs, provenance, root),
        folds=_folds(folder / FOLDS, problems) if is_finished else (),
        problems=tuple(problems),
    )


def _folds(path: Path, problems: list[str]) -> tuple[Fold, ...]:
    found = []
    for number, left_out, *texts in read_rows(path, (*COLUMNS, *ERRORS), problems, required=len(COLUMNS)):
        people, n_bonafide, n_spoof, validation, threshold, eer, low, high, *rates = map(as_number, texts)
        if not number.isdecimal() or None in (people, n_bonafide, n_spoof):
            problems.append(f"{path.name}: a row holds no fold")
            break
        counts = (int(people or 0), int(n_bonafide or 0), int(n_spoof or 0))
        own = None if eer is None else Estimate(eer, low, high)
        found.append(Fold(int(number), left_out, *counts, validation, threshold, own, *rates))
    return tuple(found)
