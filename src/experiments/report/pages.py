"""The pages of a review, written into `runs/`: `index.html`, and a `report.html` in every run and study.

A page whose content has not changed is not written again. The slices of a study, the only pictures that are drawn here,
are drawn only when anything else on its page has changed: the page holds a digest of that.
"""

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from src.experiments.report.contents import contents_of, read_comparison
from src.experiments.report.cross_records import read_cross
from src.experiments.report.run_records import PAGE, read_run
from src.experiments.report.study_records import StudyNotes, read_notes, read_study, trials_in
from src.experiments.runs.names import RunName
from src.utils.files import text_digest, write_text
from src.utils.paths import runs_folder
from src.visualize.pages.pictures import parse_picture
from src.visualize.pages.records import Picture, Review, Run, Study
from src.visualize.pages.rendering import cross_page, index_page, run_page, study_page

if TYPE_CHECKING:
    import optuna

SLICE_DPI = 110
_HEAD_BYTES = 4096


def report_runs(root: Path) -> Path:
    """Write a page for everything in `<root>/runs`, and an index.

    Parameters
    ----------
    root : Path
        Holds `runs/` and, for listening, `datasets/`.

    Returns
    -------
    Path
        `runs/index.html`.
    """
    found = contents_of(root)
    notes = [read_notes(name, root) for name in found.studies]
    trials = {note.name: trials_in(note.name, root) for note in notes}
    n_pages = len(found.crosses) + len(found.runs) + sum(map(len, trials.values())) + len(notes)
    with tqdm(total=n_pages, desc="pages", unit="page", disable=None) as bar:
        crosses = tuple(_write_cross(name, root, bar) for name in found.crosses)
        runs = [_write_run(name, root, None, bar) for name in found.runs]
        studies = [_write_study(note, trials[note.name], root, bar) for note in notes]
    comparisons = tuple(map(read_comparison, found.comparisons))
    index = runs_folder(root) / "index.html"
    _write(index, index_page(Review(tuple(runs), tuple(studies), comparisons, found.foreign, crosses)))
    return index


def _write_run(name: RunName, root: Path, best: int | None, bar: tqdm) -> Run:
    """Write the page of a run and return its record, for the pages that list it."""
    run = read_run(name, root, best)
    _write(name.folder(root) / PAGE, run_page(run))
    bar.update()
    return run.without_pictures()


def _write_cross(name: RunName, root: Path, bar: tqdm) -> Run:
    """Write the page of a cross-validation and return its record, for the index."""
    cross = read_cross(name, root)
    _write(name.folder(root) / PAGE, cross_page(cross))
    bar.update()
    return cross.without_pictures()


def _write_study(notes: StudyNotes, trials: list[RunName], root: Path, bar: tqdm) -> Study:
    """Write the pages of a study and its runs and return its record."""
    runs = tuple(_write_run(name, root, notes.best, bar) for name in trials)
    study, opened = read_study(notes, runs)
    page = notes.folder / PAGE
    made_from = text_digest(study_page(study) + repr(study.trials))
    if not _is_made_from(page, made_from):
        problems: list[str] = []
        slices = _draw_slices(opened, study, problems) if opened else ()
        shown = replace(study, problems=(*study.problems, *problems))
        _write(page, study_page(shown, slices, "" if problems else made_from))
    bar.update()
    return study


def _draw_slices(opened: "optuna.Study", study: Study, problems: list[str]) -> tuple[Picture, ...]:
    """Draw the slices of all hyperparameters that vary."""
    from src.visualize.slices import slice_figure

    finished = [trial.parameters for trial in study.trials if trial.state == "finished"]
    names = dict.fromkeys(name for parameters in finished for name in parameters)
    slices = []
    for name in names:
        if len({repr(parameters[name]) for parameters in finished if name in parameters}) < 2:
            continue
        content = io.BytesIO()
        try:
            slice_figure(opened, name, study.objective or "validation EER").savefig(
                content, format="png", dpi=SLICE_DPI
            )
        except Exception as error:  # Optuna cannot draw everything that a journal may hold
            problems.append(f"no slice of {name} can be drawn ({error})")
            continue
        slices.append(parse_picture(name, content.getvalue()))
    return tuple(slices)


def _is_made_from(page: Path, digest: str) -> bool:
    """Tell whether a study's page was made from what has the digest."""
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return f'<meta name="made-from" content="{digest}">'.encode() in file.read(_HEAD_BYTES)


def _write(path: Path, page: str) -> None:
    """Write a page, unless it is unchanged; warn where it may not be written."""
    try:
        if not path.is_file() or path.read_bytes() != page.encode():
            write_text(path, page)
    except PermissionError as error:
        warnings.warn(f"{path} cannot be written ({error.strerror})", stacklevel=2)
