"""A run on corpora that it never saw: the verdict from elsewhere.

Each corpus is judged by itself: EER with an interval over people, min DCF, the cue baseline, each spoof system against
the corpus's own bona fide clips, the errors at the run's own threshold, those among its decisions with rejection, and
the min t-DCF of a whole official test that has scores of an ASV. A corpus of one class has no EER: its rate of right
decisions is told, at the threshold from the run's validation or at that of another corpus of the benchmark. What a
corpus shares with the training data is found and told.

By default all clips of a corpus but augmented copies are scored, whether it was split or not. Where its makers
published a split, all trials and the official test are two protocols whose results cannot be compared: each row names
its own. Results lie in `benchmark/<corpus>/` in the run's folder, one folder for each protocol; a corpus that is
finished is not scored again, but what stands beside its scores is as it is now (`benchmark_setting.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import ALL, read_split
from src.experiments.evaluation.benchmark_setting import renew_setting
from src.experiments.evaluation.cue_verdict import EACH, CueJudge
from src.experiments.evaluation.evaluate import Breakdowns
from src.experiments.evaluation.overlap import Heard, find_overlap, heard_by
from src.experiments.evaluation.rejection import judge_with_rejection
from src.experiments.evaluation.scoring import UNDER_WAY, ScoredClips, score_corpus
from src.experiments.inputs.contract import VAL
from src.experiments.runs.artefacts import BENCHMARK, BENCHMARK_RESULTS, SCORES, read_scores, score_table
from src.experiments.runs.names import RunName
from src.experiments.runs.provenance import now
from src.experiments.training.trained import Trained, read_trained
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS, Trials
from src.metrics.conformal import COVERAGE, DECIDED_ERROR, DEFAULT_ERROR, check_error
from src.metrics.eer import operating_threshold
from src.metrics.error_rates import error_rates
from src.metrics.verdict import Metric, evaluate_with_intervals, parts_by_system
from src.utils.clip_table import ClipTable
from src.utils.dataset import write_table
from src.utils.embedding_store import split_digest
from src.utils.files import read_json, text_digest, write_json
from src.utils.labels import parse_label
from src.utils.paths import noted_path

_ONE_CLASS = "`threshold_from`: {} holds one class alone, and no threshold follows from it."


@dataclass(frozen=True)
class Judged:
    """What a run achieves on one corpus."""

    folder: Path
    metrics: dict[str, Metric]
    breakdowns: Breakdowns
    about: dict[str, Any]

    @classmethod
    def of(cls, folder: Path, results: dict[str, Any]) -> Self:
        """Return what `results.json` in a folder holds."""
        metrics = {name: found for name, found in results.items() if name not in ("about", "breakdowns", EACH)}
        return cls(folder, metrics, results["breakdowns"], results["about"])

    @property
    def has_both_classes(self) -> bool:
        """Whether there is an EER."""
        return "eer" in self.metrics


class Bench:
    """A run and what is needed to judge it on one corpus after another."""

    def __init__(self, name: RunName, *, root: Path, reject: float = DEFAULT_ERROR) -> None:
        check_error(reject)
        self.reject = reject
        self.trained: Trained = read_trained(root, name)
        self.cues = CueJudge(self.trained)
        self.root = root

    def judge(self, dataset: Path, split: str) -> Judged:
        """Score the clips of a corpus and judge the run by them; what is finished is read back."""
        place = f"{dataset.name}-{text_digest(str(dataset.resolve()))[:8]}-{split}"
        folder = self.trained.folder / BENCHMARK / place
        rows = read_split(dataset, split)
        states = take_fingerprints(dataset, rows["file"].tolist())
        identity = self._identity(rows, states)
        results = read_json(folder / BENCHMARK_RESULTS) if (folder / BENCHMARK_RESULTS).is_file() else {}
        if results.get("about", {}).get("identity") != identity or not (folder / SCORES).is_file():
            scored = score_corpus(self.trained, dataset, split, root=self.root, folder=folder)
            results = self._results(dataset, split, scored)
            results["about"]["identity"] = identity
            write_table(folder / SCORES, score_table(scored.table, scored.scores))
        table, scores = _read_scores(folder)
        if results["about"].get("reject") != self.reject:
            self._decide(results, table, scores)
        own = (self.trained.threshold, VAL)
        if (results["about"]["threshold"], results["about"]["threshold_from"]) != own:  # of an earlier call
            _rate_at(results, table, scores, *own)
        overlap = find_overlap(self.heard, dataset, table, states)
        renew_setting(results, dataset, table, scores, overlap, self.cues)
        write_json(folder / BENCHMARK_RESULTS, results)
        (folder / UNDER_WAY).unlink(missing_ok=True)
        return Judged.of(folder, results)

    def _decide(self, results: dict[str, Any], table: ClipTable, scores: np.ndarray) -> None:
        """Put into results what decisions with rejection achieve, by the scores of all clips."""
        found, about = judge_with_rejection(self.trained, _trials(table), scores, self.reject)
        for key in (COVERAGE, DECIDED_ERROR):
            results.pop(key, None)
        results |= found
        results["about"] |= about

    @cached_property
    def heard(self) -> Heard:
        """What the run was trained and validated on."""
        return heard_by(self.trained)

    def _identity(self, rows: pd.DataFrame, states: Mapping[str, str]) -> str:
        """Return a digest of what decides the verdict: the run, the clips with their labels, the recordings."""
        told = [f"{file} {taken}" for file, taken in states.items()]
        trained = str(self.trained.provenance.get("ended"))
        return text_digest("\n".join([trained, split_digest(rows), *told]))

    def _results(self, dataset: Path, split: str, scored: ScoredClips) -> dict[str, Any]:
        """Return metrics, those of each system, and what they are of, as `results.json` holds them."""
        table, scores, trials = scored.table, scored.scores, _trials(scored.table)
        parts = parts_by_system(trials.labels, table.systems)
        metrics = self._metrics(trials, scores)
        systems = {name: self._metrics(trials.only(wanted), scores[wanted]) for name, wanted in parts.items()}
        about = {
            "corpus": dataset.name,
            "path": noted_path(self.root, dataset),
            "split": split,
            "clips": len(table),
            "unusable": scored.n_unusable,
            "n_people": trials.n_people,
            "threshold": self.trained.threshold,
            "threshold_from": VAL,
            "resampled": "people and spoof systems" if trials.known_systems else "people",
            "resamplings": N_RESAMPLINGS,
            "confidence": CONFIDENCE,
            "tested": now(),
        }
        return {**metrics, "breakdowns": {"system": systems}, "about": about}

    def _metrics(self, trials: Trials, scores: np.ndarray) -> dict[str, Metric]:
        """Return the metrics of trials: of one class alone, the rates of decisions."""
        rates = error_rates(trials, scores, self.trained.threshold)
        if len(np.unique(trials.labels)) < 2:
            return rates
        return evaluate_with_intervals(trials, scores, self.trained.threshold) | rates


def run_benchmark(
    name: RunName,
    datasets: Sequence[Path],
    split: str = ALL,
    threshold_from: str = "",
    *,
    root: Path,
    reject: float = DEFAULT_ERROR,
) -> list[Judged]:
    """Judge a run on corpora from elsewhere, one after another.

    Parameters
    ----------
    name : RunName
    datasets : sequence of Path
    split : str
        Of every corpus; by default all of its clips.
    threshold_from : str
        Name of one of the corpora, of both classes, whose EER gives the threshold for corpora of one class; empty: that
        of the run's validation.
    root : Path
        Holds `embeddings/` and `runs/`.
    reject : float
        The error rate that decisions with rejection promise on clips like those of validation.

    Raises
    ------
    ValueError
        When no corpus is named, or one twice, or the threshold cannot be taken from where it is to be.
    """
    if not datasets:
        raise ValueError("`datasets` takes one corpus or more, such as datasets/a,datasets/b; none is given.")
    places = [dataset.resolve() for dataset in datasets]
    twice = [dataset for dataset, place in zip(datasets, places, strict=True) if places.count(place) > 1]
    if twice:
        raise ValueError(f"`datasets` names {twice[0]} twice.")
    names = [dataset.name for dataset in datasets]
    if threshold_from and threshold_from not in names:
        raise ValueError(f"`threshold_from` must be one of the corpora ({', '.join(names)}), not '{threshold_from}'.")
    if names.count(threshold_from) > 1:
        raise ValueError(f"`threshold_from`: two corpora are called {threshold_from}; rename the folder of one.")
    for dataset in datasets:  # what cannot be is refused before any work
        rows = read_split(dataset, split)
        if dataset.name == threshold_from and rows["label"].nunique() < 2:
            raise ValueError(_ONE_CLASS.format(threshold_from))
    bench = Bench(name, root=root, reject=reject)
    judged = [bench.judge(dataset, split) for dataset in datasets]
    if not threshold_from:
        return judged
    source = judged[names.index(threshold_from)]
    if not source.has_both_classes:  # of the clips that can be used
        raise ValueError(_ONE_CLASS.format(threshold_from))
    table, scores = _read_scores(source.folder)
    threshold = operating_threshold(table.labels, scores)
    return [one if one.has_both_classes else _at_threshold(one, threshold, threshold_from) for one in judged]


def _at_threshold(one: Judged, threshold: float, source: str) -> Judged:
    """Return a verdict of one class with its rates at another threshold, and write it in place of that at the own."""
    results = read_json(one.folder / BENCHMARK_RESULTS)
    _rate_at(results, *_read_scores(one.folder), threshold, source)
    results["about"]["remarks"].insert(0, f"decided at the threshold of {source}")
    write_json(one.folder / BENCHMARK_RESULTS, results)
    return Judged.of(one.folder, results)


def _rate_at(results: dict[str, Any], table: ClipTable, scores: np.ndarray, threshold: float, source: str) -> None:
    """Put into results of one class the rates of decisions at a threshold, and where it is from."""
    trials = _trials(table)
    results.update(error_rates(trials, scores, threshold))
    for name, wanted in parts_by_system(table.labels, table.systems).items():
        results["breakdowns"]["system"][name] = error_rates(trials.only(wanted), scores[wanted], threshold)
    results["about"].update(threshold=threshold, threshold_from=source)


def _read_scores(folder: Path) -> tuple[ClipTable, np.ndarray]:
    """Return the clips of a corpus that were scored, and their scores (n,)."""
    rows = read_scores(folder)
    labels = np.array([parse_label(label) for label in rows["label"]])
    columns = (rows[name].to_numpy(str) for name in ("gender", "speaker", "system", "file"))
    return ClipTable(labels, *columns), rows["score"].to_numpy(float)


def _trials(table: ClipTable) -> Trials:
    return Trials(table.labels, table.speakers, table.systems)
