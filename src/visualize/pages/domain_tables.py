"""Tables of what a run has not heard: domains left out of its training, and the folds of a cross-validation."""

from collections.abc import Mapping

from src.visualize.pages.cells import Cell, Column, Table, axis_end, estimated, number, text
from src.visualize.pages.records import Estimate, Review, Run
from src.visualize.pages.words import plain


def side_by_side(run: Run) -> Table | None:
    """Return the EER in domain and the mean across each kind of domain that was left out; None where none was."""
    means = run.across
    if not means:
        return None
    estimates = {"in domain": run.validation.get("eer"), **{f"across {kind}": eer for kind, eer in means.items()}}
    end = axis_end(estimates.values())
    rows = tuple((text(what), estimated(eer, "rate", end)) for what, eer in estimates.items())
    about = (
        "In domain: validation people, of spoof systems and corpora that training has heard. Across: the mean over "
        f"those that were left out of training in turn. The bars run from 0 to {100 * end:g} %; lower is better. "
        f"{run.too_few}"
    ).rstrip()
    return Table("In domain and beyond", (Column("EER"), Column("validation EER", True)), rows, about=about)


def unheard_table(run: Run) -> Table | None:
    """Return a row for every domain that was left out of training; None where none was."""
    if not run.unheard:
        return None
    end = axis_end(found.eer for found in run.unheard)
    rows = tuple(
        (text(found.domain), text(found.kind), number(found.clips, "count"), estimated(found.eer, "rate", end))
        for found in run.unheard
    )
    columns = (Column("left out"), Column("of"), Column("clips", True), Column("EER", True))
    about = "Each judged by a model that was trained without it, against the bona fide clips of the same people."
    return Table("What was left out", columns, rows, sortable=len(rows) > 1, about=about)


def folds_table(run: Run) -> Table | None:
    """Return a row for every fold of a cross-validation; None where there is none."""
    if not run.folds:
        return None
    end = axis_end(fold.eer for fold in run.folds)
    rows = tuple(
        (
            Cell(str(fold.number), fold.number),
            text(fold.left_out or "people only"),
            number(fold.people, "count"),
            number(fold.n_bonafide, "count"),
            number(fold.n_spoof, "count"),
            number(fold.validation_eer, "rate"),
            estimated(fold.eer, "rate", end),
            number(fold.false_acceptance, "rate"),
            number(fold.false_rejection, "rate"),
        )
        for fold in run.folds
    )
    titles = ("people", "bona fide", "spoofs", "validation EER", "EER", "spoofs accepted", "bona fide rejected")
    columns = (Column("fold", True, sorted=True), Column("left out"), *(Column(title, True) for title in titles))
    about = (
        "Each fold is a run of its own. The last two columns are errors at its own threshold. No EER: its clips are of "
        "one class."
    )
    return Table("Folds", columns, rows, sortable=len(rows) > 1, about=about)


def crosses_table(review: Review) -> Table:
    """Return a row for every cross-validation."""
    end = axis_end(_pooled(run) for run in review.crosses)
    rows = tuple(
        (
            Cell(run.name, run.name, run.url, note="" if run.outcome else run.state),
            text(_input(run.hyperparameters, "corpus")),
            text(" ".join(filter(None, (_input(run.hyperparameters, key) for key in ("classifier", "backbone"))))),
            text(_input(run.hyperparameters, "by")),
            Cell(str(len(run.folds)), len(run.folds)) if run.folds else Cell(),
            estimated(_pooled(run), "rate", end),
        )
        for run in review.crosses
    )
    columns = (Column("name"), Column("corpus"), Column("model"), Column("left out"), Column("folds", True))
    about = (
        "Every clip is scored by a run that did not know its person, nor what was left out. "
        f"The bars run from 0 to {100 * end:g} %; lower is better."
    )
    return Table("Cross-validations", (*columns, Column("pooled EER", True)), rows, sortable=len(rows) > 1, about=about)


def _pooled(run: Run) -> Estimate | None:
    return run.outcome.metrics.get("eer") if run.outcome else None


def _input(inputs: Mapping[str, object], key: str) -> str:
    return plain(inputs.get(key, ""))
