"""What `fab ExplainRun` found of a run, as its page shows it: records, and the tables made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from src.visualize.pages.cells import Cell, Column, Table, text
from src.visualize.pages.records import Estimate, Picture
from src.visualize.pages.words import interval, plain


@dataclass(frozen=True)
class Part:
    """A part of the input, and the rises of EER and Cllr without it."""

    kind: str
    name: str
    eer: Estimate
    cllr: Estimate


@dataclass(frozen=True)
class Compared:
    """A property in two groups of clips."""

    kind: str
    name: str
    by: str
    first: str
    second: str
    auc: Estimate
    p: float | None = None
    """After correction for the number of comparisons."""


@dataclass(frozen=True)
class Explanation:
    """What was found; empty parts where a file is damaged."""

    about: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    compared: tuple[Compared, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()


def parts_table(found: Explanation) -> Table | None:
    """Return the table of the rises, the largest rise of Cllr first; None where there is none."""
    columns = (
        Column("part of the input"),
        Column("EER rises by (points)", numeric=True),
        Column("Cllr rises by (bits)", numeric=True, sorted=True),
    )
    order = sorted(found.parts, key=lambda part: part.cllr.value, reverse=True)
    rows = tuple(
        (
            text("everything" if part.kind == "everything" else f"{part.kind}: {part.name}"),
            Cell(f"{100 * part.eer.value:+.2f}", -part.eer.value, note=interval(part.eer, "rate")),
            Cell(f"{part.cllr.value:+.3f}", -part.cllr.value, note=interval(part.cllr, "number")),
        )
        for part in order
    )
    return Table("What is lost without each part", columns, rows, sortable=len(rows) > 1) if rows else None


def compared_table(found: Explanation, by: str) -> Table | None:
    """Return the comparisons of the properties by label, gender or system; None where there are none."""
    mine = [each for each in found.compared if each.by == by]
    columns = (
        Column("property"),
        Column("groups"),
        Column("larger in the first (share of pairs)", numeric=True),
        Column("p, corrected", numeric=True),
    )
    rows = tuple(
        (
            text(f"{each.kind}: {each.name}"),
            text(f"{each.first} against {each.second}"),
            Cell(f"{each.auc.value:.3f}", -abs(each.auc.value - 0.5), note=interval(each.auc, "number")),
            Cell("unknown", 2.0) if each.p is None else Cell(f"{each.p:.3f}", each.p),
        )
        for each in mine
    )
    return Table(f"Properties by {by}", columns, rows, sortable=len(rows) > 1) if rows else None


def how(found: Explanation) -> str:
    """Return in one sentence how the parts were taken away, and from how many people's clips.

    >>> how(Explanation({"how": "band taken out", "split": "downstream_test", "n_people": 9}))
    'Each band of frequencies was taken out of the clips of downstream_test (9 people).'
    """
    about = found.about
    clips = f"the clips of {plain(about.get('split', 'the test'))} ({plain(about.get('n_people', '?'))} people)"
    if about.get("how") == "band taken out":
        return f"Each band of frequencies was taken out of {clips}."
    return f"Each part of the input was dealt anew to {clips}, {plain(about.get('repetitions', '?'))} times."
