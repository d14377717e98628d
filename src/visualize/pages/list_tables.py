"""The tables that list runs: the leaderboard, the studies, the trials of a study, and what is broken or unfinished."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from src.metrics.table import shown_in
from src.visualize.pages.cells import Cell, Column, Table, axis_end, estimated, number, text
from src.visualize.pages.records import Estimate, LayerComparison, Review, Run, Study
from src.visualize.pages.words import counted, plain, random_weights, which_is_better


def leading_runs(review: Review) -> list[Run]:
    """Return the runs of the leaderboard, lowest validation EER first; of a study, its best and its tested trials."""
    runs = [*review.runs, *(run for study in review.studies for run in study.runs if run.is_best or run.outcome)]
    return sorted((run for run in runs if run.validation), key=_validation_first)


def chosen_by_validation(review: Review) -> dict[str, Run]:
    """Return, for every corpus, the finished run of the lowest validation EER."""
    names = corpus_names(leading_runs(review))
    chosen: dict[str, Run] = {}
    for run in leading_runs(review):
        if "eer" in run.validation and "corpus" in run.hyperparameters:
            chosen.setdefault(names[run.name], run)
    return dict(sorted(chosen.items()))


def corpus_names(runs: Iterable[Run]) -> dict[str, str]:
    """Return what to call the corpus of each run: by its folder's name, or by its path where corpora share a name.

    >>> inputs = {"corpus": "a"}
    >>> corpus_names([Run(name, "", "finished", hyperparameters=inputs, corpus=f"/{name}/a") for name in "xy"])
    {'x': '/x/a', 'y': '/y/a'}
    """
    runs = list(runs)
    places: dict[str, set[str]] = {}
    for run in runs:
        if run.corpus:
            places.setdefault(_input(run, "corpus"), set()).add(run.corpus)
    shared = {name for name, paths in places.items() if len(paths) > 1}
    return {
        run.name: run.corpus if run.corpus and _input(run, "corpus") in shared else _input(run, "corpus")
        for run in runs
    }


def leaderboard(review: Review) -> Table:
    """Return a row for every run that `leading_runs` names."""
    runs = leading_runs(review)
    end = axis_end(_test_eer(run) for run in runs)
    columns = _leaderboard_columns(end, corpus_names(runs))
    about = (
        "Sorted by validation EER, by which runs are chosen; the test then shows how good the choice was. "
        f"{which_is_better(shown_in('leaderboard'))}. EERs on different corpora cannot be compared. "
        f"The bars run from 0 to {100 * end:g} %."
    )
    rows = tuple(tuple(cell(run) for _, cell in columns) for run in runs)
    return Table("Leaderboard", tuple(column for column, _ in columns), rows, sortable=True, about=about)


def _leaderboard_columns(end: float, corpora: Mapping[str, str]) -> list[tuple[Column, Callable[[Run], Cell]]]:
    """Return every column of the leaderboard with the function of its cells.

    `end` is the end of the axis of test EERs, `corpora` names the corpus of each run.
    """
    return [
        (Column("run"), lambda run: Cell(run.name, run.name, run.url, note="best of its study" if run.is_best else "")),
        (Column("corpus"), lambda run: text(corpora[run.name])),
        (Column("backbone"), _backbone),
        (Column("layer", True), lambda run: _any_value(run.hyperparameters.get("layer", ""))),
        (Column("pooling"), lambda run: text(_input(run, "pooling"))),
        (Column("classifier or detector"), lambda run: text(_input(run, "classifier"))),
        (Column("validation EER", True, sorted=True), lambda run: estimated(run.validation.get("eer"), "rate")),
        (Column("test EER", True), lambda run: estimated(_test_eer(run), "rate", end)),
        *(
            (Column(row.title, True), lambda run, row=row: estimated(_tested(run, row.key), row.unit))
            for row in shown_in("leaderboard")
            if row.key != "eer"
        ),
        (Column("when", True), lambda run: Cell(run.ended[:10], run.ended, note=run.ended[11:16])),
    ]


def _backbone(run: Run) -> Cell:
    backbone, model = _input(run, "backbone") or _input(run, "input"), _input(run, "model") or _input(run, "runs")
    warned = random_weights(run.hyperparameters, run.provenance)
    return Cell(backbone, f"{backbone} {model}".strip(), note=f"{model} {warned}".strip())


def _input(run: Run, key: str) -> str:
    return plain(run.hyperparameters.get(key, ""))


def studies_table(studies: Iterable[Study]) -> Table:
    """Return a row for every study, with links to it, its best trial and its tested runs."""
    columns = (
        Column("study"),
        Column("corpus"),
        Column("backbone"),
        Column("classifier or detector"),
        Column("trials", True),
        Column("best validation EER", True),
        Column("best trial"),
        Column("tested"),
    )
    return Table("Studies", columns, tuple(tuple(_study_row(study)) for study in studies), sortable=True)


def _study_row(study: Study) -> Iterator[Cell]:
    yield Cell(study.name, study.name, study.url, note="broken" if study.problems else "")
    warned = random_weights(study.search, *(run.hyperparameters for run in study.runs))
    for key in ("corpus", "backbone", "classifier"):
        yield text(plain(study.search.get(key, "")), note=warned if key == "backbone" else "")
    yield Cell(str(len(study.trials)), len(study.trials), note=states_in_words(study))
    yield number(study.best_value, "rate")
    best = next((run for run in study.runs if run.is_best), None)
    yield Cell(str(study.best), study.best, best.url if best else "") if study.best is not None else Cell()
    tested = [run for run in study.runs if run.outcome]
    yield Cell(str(len(tested)), len(tested))


def states_in_words(study: Study) -> str:
    """Return how many trials ended in which state, in words.

    >>> from src.visualize.pages.records import Trial
    >>> states_in_words(Study("s", "", trials=(Trial(0, "finished"), Trial(1, "failed"), Trial(2, "finished"))))
    '2 finished, 1 failed'
    """
    states = [trial.state for trial in study.trials]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def trials_table(study: Study) -> Table:
    """Return a row for every trial of a study."""
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.parameters))
    runs = {run.number: run for run in study.runs}
    columns = [Column("trial", True, sorted=True), Column("state")]
    columns += [Column(study.objective, True)] if study.objective else []
    columns += [Column("validation EER", True), Column("test EER", True), *(Column(name) for name in names)]
    end = axis_end(_test_eer(run) for run in study.runs)
    rows = []
    for trial in study.trials:
        run = runs.get(trial.number)
        href = run.url_from_study if run else ""
        note = "best" if trial.number == study.best else ""
        row = [Cell(str(trial.number), trial.number, href, note), text(trial.state), number(trial.value, "rate")]
        if study.objective:
            in_domain = run.validation.get("eer") if run else None
            row.append(number(in_domain.value if in_domain else None, "rate"))
        row.append(estimated(_test_eer(run) if run else None, "rate", end))
        rows.append((*row, *(_any_value(trial.parameters.get(name, "")) for name in names)))
    about = f"{states_in_words(study)}. The search minimises the {study.objective or 'validation EER'}."
    return Table(f"All {counted(len(rows), 'trial')}", tuple(columns), tuple(rows), sortable=True, about=about)


def set_aside(review: Review) -> Table | None:
    """Return what is broken or unfinished, with reasons, and what is neither a run nor a study; None without any."""
    runs = [*review.runs, *(run for study in review.studies for run in study.runs)]
    unfinished = [run for run in review.crosses if run.problems or not run.outcome]
    listed: list[Run | Study | LayerComparison] = [
        *(run for run in runs if run.problems or not run.validation),
        *unfinished,
        *(study for study in review.studies if study.problems),
        *(comparison for comparison in review.comparisons if comparison.problems),
    ]
    rows = [(_named(item), text(_state(item)), text("; ".join(item.problems))) for item in listed]
    rows += [(text(name, verbatim=True), text("ignored"), text("neither a run nor a study")) for name in review.foreign]
    columns = (Column("name"), Column("state"), Column("reason"))
    return Table("Broken, unfinished or unknown", columns, tuple(rows), sortable=len(rows) > 1) if rows else None


def layers_table(comparison: LayerComparison) -> Table:
    """Return a row for every layer of a comparison."""
    unheard = comparison.across
    end = axis_end([*(eer for _, eer in comparison.layers), *(eer for of in unheard.values() for eer in of.values())])
    rows = tuple(
        (
            Cell(str(layer), layer),
            estimated(eer, "rate", end),
            *(estimated(of.get(layer), "rate", end) for of in unheard.values()),
        )
        for layer, eer in comparison.layers
    )
    titles = ("EER", *(f"EER across {kind}" for kind in unheard))
    columns = (Column("layer", True, sorted=True), *(Column(title, True) for title in titles))
    about = f"The bars run from 0 to {100 * end:g} %; lower is better."
    return Table(f"Layers of {comparison.name}", columns, rows, sortable=True, about=about)


def _named(item: Run | Study | LayerComparison) -> Cell:
    return Cell(item.name, item.name, "" if isinstance(item, LayerComparison) else item.url)


def _state(item: Run | Study | LayerComparison) -> str:
    return item.state if isinstance(item, Run) else "broken"


def _any_value(value: object) -> Cell:
    """Return a cell for any value; numbers are sorted as numbers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(plain(value), value if is_number else plain(value))  # type: ignore[arg-type]


def _test_eer(run: Run) -> Estimate | None:
    return _tested(run, "eer")


def _tested(run: Run, key: str) -> Estimate | None:
    return run.outcome.metrics.get(key) if run.outcome else None


def _validation_first(run: Run) -> tuple[float, str]:
    eer = run.validation.get("eer")
    return (eer.value if eer else float("inf"), run.name)
