"""The min t-DCF of a test, where the corpus came with the scores of a speaker verification system.

It is computed only of a whole official part, all clips that the corpus lists of it: a published t-DCF is of all trials,
and one of some of them would be taken for it. The form is that of the corpus's year, and its name says so.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from src.corpora import OFFICIAL
from src.corpora.asv_scores import find_asv_scores
from src.metrics.table import written
from src.metrics.tandem import asv_error_rates, min_tdcf_2019, min_tdcf_2021
from src.metrics.verdict import Metric, as_metric
from src.utils.clip_table import ClipTable
from src.utils.copies import without_copies
from src.utils.dataset import FILES_TABLE, read_files


def judge_in_tandem(dataset: Path, table: ClipTable, scores: np.ndarray) -> tuple[dict[str, Metric], dict[str, Any]]:
    """Return the min t-DCF of a test with the EER of the ASV, and a note of where the scores of the ASV lie.

    Parameters
    ----------
    dataset : Path
        The corpus of the test.
    table : ClipTable
        Its clips.
    scores : np.ndarray, shape (n,)
        Higher = more bona fide.

    Returns
    -------
    dict, dict
        Both are empty where the clips are no whole official part, or no scores of an ASV were found.

    Warns
    -----
    UserWarning
        When the scores of the ASV cannot be used.
    """
    published = find_asv_scores(dataset, _official_part(dataset, table))
    if published is None:
        return {}, {}
    cost = min_tdcf_2019 if published.year == 2019 else min_tdcf_2021
    try:
        asv = published.read()
        value = cost(table.labels, scores, asv)
    except ValueError as error:
        warnings.warn(f"There is no min t-DCF of this test: {error}", stacklevel=3)
        return {}, {}
    found = {"asv_eer": asv_error_rates(asv).eer, f"min_tdcf_{published.year}": value}
    return {key: as_metric(number) for key, number in found.items()}, {"asv_scores": published.scores.name}


def in_tandem(found: Mapping[str, Metric]) -> str:
    """Return what `judge_in_tandem` found in words.

    >>> in_tandem({"asv_eer": as_metric(0.0248), "min_tdcf_2019": as_metric(0.21234)})
    'min t-DCF 0.2123 in the form of 2019, with an ASV whose EER is 2.48 %'
    """
    said = [
        f"min t-DCF {cost['value']:.4f} in the form of {name.rpartition('_')[2]}, "
        f"with an ASV whose EER is {written(found['asv_eer']['value'], 'rate')}"
        for name, cost in found.items()
        if name.startswith("min_tdcf")
    ]
    return "".join(said)


def _official_part(dataset: Path, table: ClipTable) -> str:
    """Return the official part that the clips are the whole of; empty where they are not."""
    files = without_copies(read_files(dataset)) if (dataset / FILES_TABLE).is_file() else None
    if files is None or OFFICIAL not in files:
        return ""
    parts = set(files[OFFICIAL][files["file"].isin(table.files)])
    part = parts.pop() if len(parts) == 1 else ""
    return str(part) if part and set(files["file"][files[OFFICIAL] == part]) == set(table.files.tolist()) else ""
