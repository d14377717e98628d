"""Reads files of unknown state for a review: returns what can be read, and lists what cannot.

A review looks at folders after kills, full disks and manual edits. So nothing here raises because of a file's content:
problems are added to a list, each in one line that names the file within its folder.
"""

import csv
import json
import math
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from src.utils.files import read_json
from src.visualize.pages.pictures import parse_picture
from src.visualize.pages.records import Estimate, Metrics, Picture

LARGEST_CELL = 1 << 20


def read_object(path: Path, problems: list[str], *, required: bool = True) -> dict[str, Any]:
    """Return the JSON object that a file holds; empty where there is none or it is damaged."""
    if not exists(path):
        if required:
            problems.append(f"{path.name} is missing")
        return {}
    try:
        content = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read ({_reason(error)})")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path.name} holds no JSON object")
        return {}
    return content


def read_pictures(folder: Path, names: tuple[str, ...], problems: list[str]) -> tuple[Picture, ...]:
    """Return those of the named PNG files that exist and are not damaged."""
    pictures = []
    for name in names:
        if not exists(folder / name):
            continue
        try:
            pictures.append(parse_picture(name, (folder / name).read_bytes()))
        except ValueError as error:
            problems.append(str(error).rstrip("."))
        except OSError as error:
            problems.append(f"{name} cannot be read ({_reason(error)})")
    return tuple(pictures)


def read_rows(path: Path, columns: tuple[str, ...], problems: list[str], *, required: int) -> list[tuple[str, ...]]:
    """Return the cells of the given columns, row by row, up to the first row that is damaged.

    The first `required` columns must be there; the cells of others that are not are empty.
    """
    rows: list[tuple[str, ...]] = []
    csv.field_size_limit(LARGEST_CELL)
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows.extend(_checked_rows(file, columns, required))
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f"{path.name} cannot be read ({_reason(error)})")
    return rows


def _checked_rows(lines: Iterator[str], columns: tuple[str, ...], required: int) -> Iterator[tuple[str, ...]]:
    reader = csv.reader(lines)
    header = next(reader, [])
    missing = [column for column in columns[:required] if column not in header]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
    wanted = itemgetter(*(header.index(column) if column in header else len(header) for column in columns))
    for row in reader:
        if len(row) != len(header):
            raise ValueError(f"line {reader.line_num} has {len(row)} cells, not {len(header)}")
        row.append("")  # the cell of columns that are not there
        yield wanted(row)


def metrics_of(record: dict[str, Any]) -> Metrics:
    """Return the metrics in a record: each a number, or a value with bounds.

    >>> metrics_of({"eer": {"value": 0.1, "low": 0.05, "high": None}, "auc": 0.9, "split": "val", "pruned": True})
    {'eer': Estimate(value=0.1, low=0.05, high=None), 'auc': Estimate(value=0.9, low=None, high=None)}
    """
    metrics = {}
    for name, content in record.items():
        parts = content if isinstance(content, dict) else {"value": content}
        value = finite(parts.get("value"))
        if value is not None:
            metrics[name] = Estimate(value, finite(parts.get("low")), finite(parts.get("high")))
    return metrics


def cues_of(record: Any) -> dict[str, Metrics]:
    """Return cue -> the EER of all spoofs, by "", and of each system's, of what is in the form of results.

    >>> cues_of({"RMS level": {"eer": {"value": 0.4, "low": None, "high": None}, "systems": {"espeak": 0.3}}, "x": 1})
    {'RMS level': {'': Estimate(value=0.4, low=None, high=None), 'espeak': Estimate(value=0.3, low=None, high=None)}}
    """
    found = {}
    for cue, content in (record if isinstance(record, dict) else {}).items():
        if isinstance(content, dict):
            systems = content.get("systems")
            found[cue] = metrics_of({"": content.get("eer"), **(systems if isinstance(systems, dict) else {})})
    return found


def finite(value: Any) -> float | None:
    """Return a finite number of a JSON file, None for anything else.

    >>> finite(1), finite(True), finite("1"), finite(float("nan")), finite(10**400)
    (1.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def as_number(text: str) -> float | None:
    """Return a finite number that was written as text, None for anything else.

    >>> as_number("0.5"), as_number(""), as_number("nan")
    (0.5, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def exists(path: Path) -> bool:
    """Tell whether a file exists; False where that cannot be found out."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # ValueError: a NUL in a name that came from a file
        return False


def folders(parent: Path) -> list[Path]:
    """Return the folders in a folder, sorted by path; none where it cannot be read."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return []


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error.__cause__, json.JSONDecodeError | UnicodeDecodeError):
        return f"no valid JSON: {error.__cause__}"
    return str(error) or type(error).__name__
