"""Predictions in words on the screen, and in files: a table (.csv), or JSON with what they were made by."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from src.deploy.judge import Judge
from src.deploy.predict import Asked, Prediction
from src.metrics.conformal import Rejection
from src.utils.files import finite_or_none, write_json
from src.utils.paths import legible

COLUMNS = ("file", "score", "probability", "decision", "far", "reasons", "p_spoof", "p_bona_fide", "error")
SUFFIXES = (".csv", ".json")


def check_suffix(output: Path) -> None:
    """Raise ValueError unless answers can be written to such a file.

    >>> check_suffix(Path("answers.txt"))
    Traceback (most recent call last):
    ValueError: `output` must end in .csv or .json, not answers.txt.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"`output` must end in {' or '.join(SUFFIXES)}, not {output.name}.")


def write_answers(output: Path, predictions: Sequence[Prediction], judge: Judge, asked: Asked) -> None:
    """Write predictions; scores are written with every digit that was computed."""
    check_suffix(output)
    rows = [{**prediction.as_json(), "file": legible(prediction.file)} for prediction in predictions]
    if output.suffix.lower() == ".json":
        about: dict[str, Any] = {"run": str(judge.trained.name), "threshold": judge.threshold, "prior": asked.prior}
        if asked.rejection:
            about |= {"promised_error": asked.rejection.error, "margin": finite_or_none(asked.rejection.margin)}
        write_json(output, {**about, "files": rows})
        return
    import pandas as pd

    from src.utils.csv_tables import write_table

    table = pd.DataFrame([{**row, "reasons": "; ".join(row["reasons"])} for row in rows], columns=list(COLUMNS))
    write_table(output, table)


def how_judged(judge: Judge, asked: Asked) -> str:
    """Return what a reader must know of scores, probabilities and decisions."""
    said = [
        f"{judge.trained.name}: a score of {judge.threshold:.3g} or more is called bona fide, the threshold of its "
        "validation, whatever the prior."
    ]
    if judge.trained.is_calibrated:
        said.append(
            f"Scores are log-likelihood ratios; the probability is that of bona fide, for a prior of {asked.prior:g}."
        )
    else:
        said.append("This run has no calibration: its scores say nothing of probabilities.")
    if asked.rejection:
        said.append(asked.rejection.note or _promise(asked.rejection))
    if asked.doubt and asked.doubt.distances:
        said.append("Far: percentile of the distance from the training data, among the validation clips.")
    elif asked.doubt:
        said.append(asked.doubt.note)
    return "\n".join(said)


def _promise(rejection: Rejection) -> str:
    margin = f"Uncertain is what lies within {rejection.margin:.3g} of it" if rejection.margin else "None is uncertain"
    return (
        f"{margin}: at most {rejection.error:.1%} of decisions are wrong, on recordings like those of its validation."
    )


def as_text(predictions: Sequence[Prediction]) -> str:
    """Return the answers as a table, a line for each file."""
    rows = [("file", "score", "probability", "decision", "far", "reasons to doubt")]
    for each in predictions:
        if each.error:
            rows.append((legible(each.file), "", "", "error", "", each.error))
            continue
        probability = "" if each.probability is None else f"{each.probability:.1%}"
        far = "" if each.far is None else str(int(each.far))
        rows.append((legible(each.file), f"{each.score:.3f}", probability, each.decision, far, "; ".join(each.reasons)))
    filled = [column for column in range(6) if column in (0, 1, 3) or any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in filled}
    return "\n".join("  ".join(row[column].ljust(widths[column]) for column in filled).rstrip() for row in rows)
