"""What a run's page shows of its stress test: the verdict in a sentence, and a table of all distortions."""

from src.visualize.pages.cells import Column, Table, axis_end, estimated, number, text
from src.visualize.pages.records import Estimate, Stress
from src.visualize.pages.words import confidence, counted, rough


def in_short(found: Stress) -> str:
    """Return the mean EER over all distortions, beside that of the clips as they are; empty where either is missing.

    >>> in_short(Stress(clean=Estimate(0.05), mean=Estimate(0.2, 0.1, 0.3)))
    'Over 0 distortions the mean EER is 20.0 % (95 %: 10.0 % to 30.0 %); without any it is 5.0 %.'
    """
    if found.mean is None or found.clean is None:
        return ""
    mean, bounds = found.mean, ""
    if mean.low is not None and mean.high is not None:
        bounds = f" ({confidence(found.about)}: {rough(mean.low)} to {rough(mean.high)})"
    over = counted(len(found.points), "distortion")
    return f"Over {over} the mean EER is {rough(mean.value)}{bounds}; without any it is {rough(found.clean.value)}."


def stress_table(found: Stress) -> Table | None:
    """Return a row for every distortion and strength, the clips as they are first; None where there is none."""
    if not found.points:
        return None
    estimates: list[Estimate | None] = [found.clean, *(point.eer for point in found.points)]
    end = axis_end(estimates)
    columns = (
        Column("distortion"),
        Column("strength"),
        Column("EER", True),
        Column("spoof accepted", True),
        Column("bona fide rejected", True),
    )
    rows = [
        (
            text(point.effect),
            text(point.strength),
            estimated(point.eer, "rate", end),
            number(point.false_acceptance, "rate"),
            number(point.false_rejection, "rate"),
        )
        for point in found.points
    ]
    if found.clean is not None:
        rows.insert(0, (text("none"), text(""), estimated(found.clean, "rate", end), text(""), text("")))
    about = (
        "The last two columns are errors at the run's own threshold, which a distortion may spoil even where the EER "
        "stays low."
    )
    return Table("EER under distortions", columns, tuple(rows), sortable=len(rows) > 1, about=about)
