"""A plan travels to other machines as a folder on the shared disk, written once, whatever the number of parts.

    plan.json                  the request, and where embeddings lie
    <split>-clips.csv          the split's rows of the files table
    <split>-survey.csv         file, fingerprint, whether it waits, and what its header says

A plan of a million clips takes some 150 MB; each call gets the folder and the number of its part.
"""

import json
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from src.experiments.extraction.plan import Plan, SplitPlan
from src.experiments.extraction.readers import HEADER, Length
from src.experiments.extraction.requests import CopiesOf, Limits, Request, Share
from src.utils.csv_tables import read_csv, write_table
from src.utils.dataset import read_file_rows
from src.utils.files import read_json, write_text

PLAN = "plan.json"
ADVICE = "run the same command again"


def write_plan(plan: Plan, folder: Path) -> Path:
    """Write a plan into a new folder below `folder`; its name is new, so that no machine remembers another content."""
    place = Path(tempfile.mkdtemp(prefix="plan-", dir=folder))
    place.chmod(0o755)
    for part in plan.splits:
        write_table(place / f"{part.split}-clips.csv", part.clips)
        write_table(place / f"{part.split}-survey.csv", _survey(part))
    told = {
        "request": asdict(plan.request),
        "root": plan.root,
        "is_known_kind": plan.is_known_kind,
        "folders": {part.split: part.folder for part in plan.splits},
        "damaged": {part.split: part.damaged for part in plan.splits},
    }
    write_text(place / PLAN, json.dumps(told, default=os.fspath, indent=2) + "\n")
    return place


def read_plan(place: Path) -> Plan:
    """Read a plan that `write_plan` wrote."""
    told = read_json(place / PLAN)
    splits = tuple(
        replace(_read_split(place, split, Path(folder)), damaged=tuple(told["damaged"][split]))
        for split, folder in told["folders"].items()
    )
    return Plan(_request(told["request"]), splits, Path(told["root"]), told["is_known_kind"])


def _request(told: dict[str, Any]) -> Request:
    records = {
        "dataset": Path(told["dataset"]),
        "splits": tuple(told["splits"]),
        "limits": Limits(**told["limits"]),
        "share": Share(tuple((number, count) for number, count in told["share"]["parts"])),
    }
    if told["copies"]:
        records["copies"] = CopiesOf(**{**told["copies"], "dataset": Path(told["copies"]["dataset"])})
    return Request(**{**told, **records})


def _survey(part: SplitPlan) -> pd.DataFrame:
    """Return what is known of each clip, in the order that batches follow; no rate where its header was not read."""
    waiting = set(part.waiting)
    rows = []
    for file, fingerprint in part.fingerprints.items():
        length = part.lengths.get(file)
        cells = length.cells if length else ("",) * len(HEADER)
        rows.append((file, fingerprint, int(file in waiting), *cells))
    return pd.DataFrame(rows, columns=["file", "fingerprint", "waiting", *HEADER])


def _read_split(place: Path, split: str, folder: Path) -> SplitPlan:
    survey = read_csv(place / f"{split}-survey.csv", ADVICE)
    known = survey[survey["rate"] != ""]
    rows = known[["file", *HEADER]].itertuples(index=False)
    return SplitPlan(
        folder,
        split,
        read_file_rows(place / f"{split}-clips.csv", maker="GenerateEmbeddings"),
        dict(zip(survey["file"], survey["fingerprint"], strict=True)),
        tuple(survey["file"][survey["waiting"] == "1"]),
        {file: Length.of_cells(*cells) for file, *cells in rows},
    )
