"""The score files of an arena folder: a line `trial score` for each trial of a corpus, pinned by digests.

A file is of one corpus and one protocol, and its entry in the manifest names both. The arena scores the first 64,600
samples of all trials of a corpus; papers score the eval part, and a run's own tests score whole recordings of a split.
Results of two protocols cannot be compared: XLS-R with AASIST has 0.82 % on ASVspoof 2021 LA in its paper, and 8.11 %
in the arena. So what the run has scored before is pinned under the protocol that it was scored by, and never under the
arena's; scores by the arena's protocol are computed for the corpora that are asked for.

A trial is called by the name of its recording without folders and ending, as in the keys of challenges; by its whole
path in a corpus where two recordings have one name. Bytes that are no UTF-8 are escaped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from tqdm import tqdm

from src.audio.io import UnusableAudio, load_waveform
from src.deploy.arena_detector import ARENA_SAMPLES, Detector
from src.deploy.card_results import simple
from src.experiments.corpus.splits import ALL, read_split
from src.experiments.evaluation.benchmark_setting import protocol_of
from src.experiments.report.files import folders, read_object
from src.experiments.runs.artefacts import (
    BENCHMARK,
    BENCHMARK_RESULTS,
    SCORES,
    TEST_RESULTS,
    TESTS_PREFIX,
    read_scores,
)
from src.experiments.training.trained import Trained
from src.utils.csv_tables import printable
from src.utils.embedding_store import split_digest
from src.utils.files import file_digest, text_digest, write_text

FOLDER = "scores"
WHOLE = "whole recordings"
FIRST = f"the first {ARENA_SAMPLES:,} samples"


@dataclass(frozen=True)
class Scored:
    """The scores of the trials of a corpus, by one protocol."""

    corpus: str
    protocol: str
    """Which trials, and how much of each."""
    is_arena: bool
    """Whether the protocol is that of the arena."""
    table: pd.DataFrame
    """Columns file and score."""
    data_digest: str | None
    """SHA-256 of what identifies the trials, as the run noted it; None where it did not."""
    scored: str
    """When; empty where it was not noted."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Trial -> why it has no score."""


def scored_before(trained: Trained) -> Iterator[Scored]:
    """Yield what a run has scored of whole corpora and splits: its tests, and its benchmark."""
    tests = [trained.folder, *(each for each in folders(trained.folder) if each.name.startswith(f"{TESTS_PREFIX}-"))]
    places = [(folder, TEST_RESULTS) for folder in tests]
    places += [(folder, BENCHMARK_RESULTS) for folder in folders(trained.folder / BENCHMARK)]
    for folder, last in places:
        about = read_object(folder / last, []).get("about")
        if isinstance(about, Mapping) and about.get("gender", "all") == "all" and (folder / SCORES).is_file():
            trials = str(about.get("protocol") or about.get("split") or "unknown trials")
            digest = about.get("split_digest") or about.get("identity")
            yield Scored(
                str(about.get("corpus", "unknown")),
                f"{trials}, {WHOLE}",
                False,
                read_scores(folder)[["file", "score"]],
                digest if isinstance(digest, str) else None,
                str(about.get("tested", "")),
            )


def score_as_the_arena(detector: Detector, dataset: Path, now: str) -> Scored:
    """Score the first 64,600 samples of all trials of a corpus.

    Parameters
    ----------
    detector : Detector
        Takes the first samples by itself.
    dataset : Path
        A corpus with its tables.
    now : str
        The time.

    Raises
    ------
    FileNotFoundError
        When the corpus has no tables, or a recording is missing.
    ValueError
        When no trial can be used.
    """
    rows = read_split(dataset, ALL)
    scores: dict[str, float] = {}
    unusable: dict[str, str] = {}
    for file in tqdm(rows["file"].tolist(), desc=dataset.name, unit="trial", disable=None):
        try:
            scores[file] = detector.score(load_waveform(dataset / file))
        except UnusableAudio as error:
            unusable[file] = str(error)
    if not scores:
        raise ValueError(f"None of the {len(rows)} trials of {dataset} can be used.")
    table = pd.DataFrame({"file": list(scores), "score": list(scores.values())})
    trials = protocol_of(dataset, ALL)
    return Scored(dataset.name, f"{trials}, {FIRST}", True, table, split_digest(rows), now, unusable)


def write_scores(folder: Path, found: Scored) -> dict[str, Any]:
    """Write a score file into a folder; return its entry in the manifest."""
    names = trials_of(found.table["file"].tolist())
    lines = [f"{name} {score!r}" for name, score in zip(names, found.table["score"].tolist(), strict=True)]
    # By all that it holds: corpora whose names differ in a sign, or lie in two folders, do not overwrite each other.
    which = text_digest("\n".join([found.corpus, found.protocol, *lines]))[:8]
    path = folder / FOLDER / f"{simple(found.corpus)}-{which}.txt"
    write_text(path, "\n".join(lines) + "\n")
    return {
        "file": f"{FOLDER}/{path.name}",
        "sha256": file_digest(path),
        "corpus": found.corpus,
        "protocol": found.protocol,
        "arena_protocol": found.is_arena,
        "trials": len(lines),
        "data_sha256": found.data_digest,
        "unusable": {printable(file): reason for file, reason in found.unusable.items()},
        "scored": found.scored or None,
    }


def trials_of(files: Sequence[str]) -> list[str]:
    """Return what the trials of a corpus are called.

    >>> trials_of(["flac/LA_E_1.flac", "flac/LA_E_2.flac"]), trials_of(["a/1.wav", "b/1.wav"])
    (['LA_E_1', 'LA_E_2'], ['a/1.wav', 'b/1.wav'])
    """
    names = [PurePosixPath(file).stem for file in files]
    return list(map(printable, names if len(set(names)) == len(names) else files))
