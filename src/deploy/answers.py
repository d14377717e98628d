"""Predictions in a file: a table (.csv) with a row for each recording, or JSON with what they were made by."""

from collections.abc import Sequence
from pathlib import Path

from src.deploy.judge import Judge
from src.deploy.predict import Asked, Prediction
from src.utils.files import write_json

COLUMNS = ("file", "score", "probability", "decision", "far", "reasons", "error")
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
    """Write predictions; scores are written in full, so that they are those of the run to the last digit."""
    check_suffix(output)
    rows = [prediction.as_json() for prediction in predictions]
    if output.suffix.lower() == ".json":
        about = {"run": str(judge.trained.name), "threshold": judge.threshold, "prior": asked.prior}
        write_json(output, {**about, "files": rows})
        return
    import pandas as pd

    from src.utils.csv_tables import write_table

    table = pd.DataFrame([{**row, "reasons": "; ".join(row["reasons"])} for row in rows], columns=list(COLUMNS))
    write_table(output, table)
