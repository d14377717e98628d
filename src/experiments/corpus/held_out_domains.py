"""Domains that are left out on purpose: the spoof systems of a corpus, or the corpora that were merged into it.

A detector that is validated on the systems it was trained on is chosen for what it has heard. To choose it for what it
has not heard, whole domains are left out of its training:

    system    a domain is the spoofs of one system; bona fide clips belong to none and are in every training
    corpus    a domain is all clips of one corpus, as the column `corpus` of the files table names them

Few domains choose badly: where this was measured, leaving out systems chose better than validation in domain once
there were about seven of them, and no better with three.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd

from src.metrics.table import written, written_bounds
from src.utils.clip_table import ClipTable
from src.utils.dataset import FILES_TABLE, read_files
from src.utils.labels import SPOOF
from src.utils.paths import as_flac

SYSTEM, CORPUS = "system", "corpus"
KINDS = (SYSTEM, CORPUS)
PLURALS = {SYSTEM: "systems", CORPUS: "corpora"}
ENOUGH = 7
"""Domains from which on leaving them out can be expected to choose well."""
LEAST_CLIPS = 5
"""Clips of a class below which an error rate says nothing: a single clip moves it by 20 percentage points or more."""


def kinds_in(hold_out: str) -> list[str]:
    """Return the kinds of domains that are named: system, corpus, or system,corpus; none where nothing is.

    >>> kinds_in("system,corpus"), kinds_in("")
    (['system', 'corpus'], [])
    >>> kinds_in("speaker")
    Traceback (most recent call last):
    ValueError: `hold_out` must be system, corpus or system,corpus, not 'speaker'.
    """
    kinds = hold_out.split(",") if hold_out else []
    if not set(kinds) <= set(KINDS) or len(set(kinds)) < len(kinds):
        raise ValueError(f"`hold_out` must be system, corpus or system,corpus, not '{hold_out}'.")
    return kinds


def domains_in_words(hold_out: str) -> str:
    """Return what is left out, in words.

    >>> domains_in_words("system,corpus")
    'systems and corpora'
    """
    return " and ".join(PLURALS[by] for by in kinds_in(hold_out))


def domains_of(dataset: Path, table: ClipTable, by: str) -> np.ndarray:
    """Return the domain of every clip, shape (n,): of bona fide clips "" where systems are the domains.

    Raises
    ------
    ValueError
        When the tables do not say of each clip which domain it belongs to, or there are fewer than two domains.
    """
    domains = _systems_of(table) if by == SYSTEM else _corpora_of(dataset, table)
    found = names_of(domains)
    if len(found) < 2:
        raise ValueError(
            f"{dataset} holds one {by} only ({found[0]}): to leave one out, at least two {PLURALS[by]} are needed."
        )
    return domains


def names_of(domains: np.ndarray) -> list[str]:
    """Return the domains that clips (n,) belong to, sorted.

    >>> names_of(np.array(["xtts", "", "world", "xtts"]))
    ['world', 'xtts']
    """
    return sorted(set(map(str, domains)) - {""})


def too_few_to_choose_by(n_domains: int, by: str) -> str:
    """Return a warning where there are too few domains to choose by; else nothing.

    >>> too_few_to_choose_by(7, "system")
    ''
    """
    if n_domains >= ENOUGH:
        return ""
    were = f"{by} was" if n_domains == 1 else f"{PLURALS[by]} were"
    return (
        f"Only {n_domains} {were} left out to choose by: with fewer than {ENOUGH}, the choice may be no "
        "better for what was not heard than one in domain. More variety of training data is what helps."
    )


def disagreement(in_domain: float, across: Mapping[str, tuple[float, float | None, float | None]]) -> str:
    """Return a warning where an EER in domain lies below the interval of one across domains; else nothing.

    Parameters
    ----------
    in_domain : float
        In [0, 1].
    across : mapping
        Kind of domain -> the mean EER and its bounds, which may be None.

    >>> disagreement(0.05, {"system": (0.25, 0.15, 0.4)}).partition(": expect")[0]
    'EER in domain 5.00 %, but 25.00 % across systems (95 %: 15.00 to 40.00 %)'
    >>> disagreement(0.2, {"system": (0.25, 0.15, 0.4)})
    ''
    """
    for by, (mean, low, high) in across.items():
        if low is not None and high is not None and in_domain < low:
            return (
                f"EER in domain {written(in_domain, 'rate')}, but {written(mean, 'rate')} across {PLURALS[by]} (95 %: "
                f"{written_bounds(low, high, 'rate')}): expect the latter on what it never heard."
            )
    return ""


def differing_choice(candidates: Sequence[tuple[float, int, float]], hold_out: str, what: str) -> str:
    """Say what an EER in domain would have chosen otherwise; nothing where it chooses the same.

    Parameters
    ----------
    candidates : sequence of (float, int, float)
        EER in domain, number, and mean EER across the domains that were left out; the first of equals is chosen.
    hold_out : str
        The kinds of domains.
    what : str
        What is numbered: layer or trial.

    >>> differing_choice([(0.01, 0, 0.4), (0.1, 1, 0.2)], "system", "layer")
    'In domain, layer 0 would be chosen (1.00 %), which has 40.00 % across systems; layer 1 has 20.00 %.'
    >>> differing_choice([(0.01, 0, 0.1), (0.1, 1, 0.2)], "system", "layer")
    ''
    """
    in_domain, across = min(candidates, key=itemgetter(0)), min(candidates, key=itemgetter(2))
    if in_domain[1] == across[1]:
        return ""
    where = domains_in_words(hold_out)
    return (
        f"In domain, {what} {in_domain[1]} would be chosen ({written(in_domain[0], 'rate')}), which has "
        f"{written(in_domain[2], 'rate')} across {where}; {what} {across[1]} has {written(across[2], 'rate')}."
    )


def require_systems(unknown: Sequence[str]) -> None:
    """Raise ValueError when there are spoofs whose system is unknown."""
    if unknown:
        raise ValueError(
            f"The system of {len(unknown)} spoofs is unknown (first: {unknown[0]}): to leave out systems, fill in the "
            f"column `system` of {FILES_TABLE} and run fab SplitDataset again."
        )


def require_corpora(files: pd.DataFrame) -> None:
    """Raise ValueError when a files table does not say of each clip which corpus it comes from."""
    if CORPUS not in files:
        raise ValueError(
            f"This is one corpus: its {FILES_TABLE} has no column `{CORPUS}`. fab MergeDatasets makes one corpus of "
            "several, and notes where each clip comes from."
        )
    unknown = files["file"][files[CORPUS] == ""].tolist()
    if unknown:
        raise ValueError(f"{FILES_TABLE} does not say which corpus {unknown[0]} comes from (column `{CORPUS}`).")


def _systems_of(table: ClipTable) -> np.ndarray:
    systems = np.where(table.labels == SPOOF, table.systems, "")
    require_systems(table.files[(table.labels == SPOOF) & (systems == "")].tolist())
    return systems


def _corpora_of(dataset: Path, table: ClipTable) -> np.ndarray:
    files = read_files(dataset)
    require_corpora(files.iloc[:0])
    known = dict(zip(files["file"], files[CORPUS], strict=True))
    copied = {as_flac(file): corpus for file, corpus in known.items()}
    names = table.files.tolist()
    corpora = [known.get(file) or copied.get(file, "") for file in names]  # augmented copies of clips are all FLAC
    require_corpora(pd.DataFrame({"file": names, CORPUS: corpora}))
    return np.array(corpora)
