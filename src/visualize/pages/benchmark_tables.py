"""The table of a run on corpora from elsewhere: a row for each corpus and protocol, and one for each of its systems."""

from collections.abc import Iterator

from src.visualize.pages.cells import Cell, Column, Table, axis_end, estimated, number, text
from src.visualize.pages.records import Metrics, Outcome
from src.visualize.pages.words import plain

_OF_CORPUS = {
    "false_rejection": "bona fide rejected",
    "right": "right decisions",
    "coverage": "decided with rejection",
    "decided_error": "of these wrong",
}
"""What a corpus has and its systems have not."""
_RATES = {"cue_baseline_eer": "cheap cues alone", "false_acceptance": "spoofs accepted", **_OF_CORPUS}


def benchmark_table(outcomes: tuple[Outcome, ...]) -> Table:
    """Return the table; outcomes that are broken have a row that says so.

    >>> from src.visualize.pages.records import Estimate
    >>> about = {"corpus": "mini", "protocol": "all clips", "clips": 9, "n_people": 2}
    >>> (row,) = benchmark_table((Outcome("a", about, {"eer": Estimate(0.1)}),)).rows
    >>> [cell.text for cell in row][:5]
    ['mini', 'all clips', '9', '2', '10.00 %']
    """
    end = axis_end(outcome.metrics.get("eer") for outcome in outcomes)
    titles = [Column("corpus"), Column("protocol"), Column("clips", True), Column("people", True), Column("EER", True)]
    titles += [Column("min DCF", True), *(Column(title, True) for title in _RATES.values()), Column("remarks")]
    rows = tuple(row for outcome in outcomes for row in _rows(outcome, end))
    about = (
        "Accepted, rejected and right are decisions at the run's own threshold, or at that of the corpus that a remark "
        "names; with rejection, clips near the own are left undecided. Protocols cannot be compared with each other. "
        f"The bars run from 0 to {100 * end:g} %; lower is better."
    )
    return Table("Corpora from elsewhere", tuple(titles), rows, about=about)


def _rows(outcome: Outcome, end: float) -> Iterator[tuple[Cell, ...]]:
    about = outcome.about
    told = (text(plain(about.get(key, ""))) for key in ("protocol", "clips", "n_people"))
    remarks = about.get("remarks")
    said = "; ".join([*outcome.problems, *(map(str, remarks) if isinstance(remarks, list) else [])])
    yield (text(plain(about.get("corpus", outcome.folder))), *told, *_values(outcome.metrics, end), text(said))
    for system, metrics in outcome.breakdowns.get("system", {}).items():
        of_spoofs = {name: value for name, value in metrics.items() if name not in _OF_CORPUS}
        yield (text(f"{plain(about.get('corpus', ''))}, {system}"), *[Cell()] * 3, *_values(of_spoofs, end), Cell())


def _values(metrics: Metrics, end: float) -> Iterator[Cell]:
    dcf = metrics.get("min_dcf")
    yield estimated(metrics.get("eer"), "rate", end)
    yield number(dcf.value if dcf else None, "number")
    yield from (estimated(metrics.get(key), "rate") for key in _RATES)
